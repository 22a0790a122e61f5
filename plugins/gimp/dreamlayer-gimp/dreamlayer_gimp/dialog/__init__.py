"""The filter's dialog with its preview."""
