"""From a connection's frames to an answered request: greeting, upload, limits, handlers."""
