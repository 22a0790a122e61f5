"""What Dreamlayer does inside GIMP: arguments, dialogs, pixels in and a new layer out."""

import os

import gi

gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")

# Babl would take 0.2 s and 350 MB in each call to measure whether tables of all colours pay, and
# then up to 256 MB for each. A call converts few pixels, and most of them not at all.
os.environ.setdefault("BABL_LUT", "0")
