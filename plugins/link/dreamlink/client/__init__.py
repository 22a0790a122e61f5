"""Finding and starting the daemon, and connections to it."""
