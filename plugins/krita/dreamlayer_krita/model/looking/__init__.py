"""Looks at the picture, without changing it: quick looks, what is seen, nine looks to explore."""
