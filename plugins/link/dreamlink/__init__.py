"""The recipe table and the link to the daemon, shared by both hosts and the command line.

Pure Python 3.10+, with only the standard library and the pure-Python part of msgpack: it runs in
any interpreter that Krita or GIMP comes with.
"""

VERSION = "0.1.0"
