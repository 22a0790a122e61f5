"""The archives that people download: wheels, a zip of everything, and zips for Krita and GIMP."""
