"""What was dreamed, laid over the picture: sample formats, colour modes, feather and zoom."""
