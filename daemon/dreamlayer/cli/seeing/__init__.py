"""What the networks see in a picture, and what they have learned: `see` and `atlas`."""
