"""Malformed input, by the million, for both sides of the link. `python -m tests.fuzz --help`."""
