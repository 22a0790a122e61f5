"""The daemon: jobs in, pixels out, over ZeroMQ. Knows nothing of convolutions."""
