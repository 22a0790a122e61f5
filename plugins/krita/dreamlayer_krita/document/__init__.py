"""Krita's document: reading pixels, adding layers, and the settings of dreams stored in it."""
