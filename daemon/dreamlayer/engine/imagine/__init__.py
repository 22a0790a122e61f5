"""Dreams that start from noise: a picture parameterised by its spectrum, seen in random views."""
