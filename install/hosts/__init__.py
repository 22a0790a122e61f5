"""Krita and GIMP on this computer: where they keep plug-ins, and putting ours there."""
