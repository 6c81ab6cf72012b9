"""Reads the rows out of binary log files: pure, from bytes to nouns."""
