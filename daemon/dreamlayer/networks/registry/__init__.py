"""The networks by name: catalogue, architectures, weight files, and those the user added."""
