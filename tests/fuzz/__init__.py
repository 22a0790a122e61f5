"""Fuzzing of both sides of the link with malformed input. `python -m tests.fuzz --help`."""
