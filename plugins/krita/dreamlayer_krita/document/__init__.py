"""Krita's document: pixels in, layers out, and the dreams stored in the file."""
