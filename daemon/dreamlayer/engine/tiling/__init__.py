"""Exact tiled gradients: the pixels that a tile depends on, tile sizes, and worker threads."""
