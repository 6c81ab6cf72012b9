"""Reads the world, and only reads. Start with `look.py`; every target always has an answer, reached or not."""
