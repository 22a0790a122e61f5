"""The daemon: requests in, pixels out, over ZeroMQ. Knows nothing about convolutions."""
