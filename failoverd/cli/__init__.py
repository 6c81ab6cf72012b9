"""The command line: one file per command group. Start with `main.py`; what commands ask of the rest is `app.py`."""
