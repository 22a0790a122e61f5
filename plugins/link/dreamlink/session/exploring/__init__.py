"""Explore: looks at a recipe's neighbours, and the walk through them. Nothing here waits."""
