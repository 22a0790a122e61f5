"""The daemon's settings and addresses."""
