"""Fault injection; `python -m tests.faults` prints the list of faults."""
