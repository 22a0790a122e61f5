"""Blending a dream into its picture: sample formats, colour modes, feather, zoom and overlays."""
