"""Thousands of small jobs, from clients that cancel, vanish and return: `python -m tests.soak`."""
