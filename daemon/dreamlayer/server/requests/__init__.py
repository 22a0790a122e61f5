"""From the frames of a connection to an answered request: greeting, upload, limits, handlers."""
