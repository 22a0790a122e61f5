"""What both hosts and the command line share: the recipe table and the link to the daemon.

Pure Python 3.10+, the standard library and the pure-Python part of msgpack only: it runs in
whatever interpreter Krita or GIMP brings.
"""

VERSION = "0.1.0"
