"""GIMP's layers: reading pixels, making result layers, and the data stored with them."""
