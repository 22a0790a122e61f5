"""Painting into a picture: its spectrum is changed, seen in random views."""
