"""GIMP's layers: pixels in, result layers out, and what is stored with them."""
