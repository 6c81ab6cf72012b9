"""What runs on a database host: one zipapp, standard library only, Python 3.9 or later."""

from failoverd import __version__

PROTOCOL = 1
VERSION = __version__
