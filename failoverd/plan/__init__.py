"""Verdicts and choices in, plans out: what will be done, in which order, as data."""
