"""Does what a plan says, journal first. Start with `run.py`: the one loop; the handlers stand beside it, one file a
stage.
"""
