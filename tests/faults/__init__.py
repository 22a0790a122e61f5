"""What goes wrong around a dream, on purpose; `python -m tests.faults` prints the list."""
