"""Exact tiled gradients: which pixels a tile needs, how large tiles are, and who computes them."""
