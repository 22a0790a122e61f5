"""The portable executor: torch operations, with a backward pass of its own."""
