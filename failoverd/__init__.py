"""failoverd keeps MySQL writable when its primary dies, and loses nothing doing so.

Start reading in `service/cycle.py`.
"""

__version__ = "0.1.0"
