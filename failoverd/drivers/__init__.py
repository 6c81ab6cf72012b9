"""The doors to the world outside, one library each."""
