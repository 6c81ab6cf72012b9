"""The daemon: wires the five stages together. Start with `cycle.py`, which is the whole flow on one page."""
