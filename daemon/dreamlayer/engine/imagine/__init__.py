"""Dreams that begin in noise: an image parameterised by its spectrum, seen through transforms."""
