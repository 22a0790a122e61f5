"""The networks: which there are, and how one is cut off behind a layer."""
