"""Finding, starting and talking to the daemon."""
