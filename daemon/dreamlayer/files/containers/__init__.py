"""Takes picture files apart, by format: the parts with the pixels, metadata, how many pictures."""
