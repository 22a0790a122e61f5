"""The executor for graphics cards."""
