"""The networks by name: catalogue, architectures, weight files, and the user's networks."""
