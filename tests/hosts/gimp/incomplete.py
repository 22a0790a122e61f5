"""Inside GIMP, started while the plug-in has no dreamlink: the menu entry exists all the same."""

import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import deep_dream, photo_part
from gi.repository import Gimp

procedure = Gimp.get_pdb().lookup_procedure("plug-in-dreamlayer")
assert procedure is not None, "GIMP does not know the plug-in"
image, source = photo_part()
case.verdict(
    menu=[procedure.get_menu_label(), *procedure.get_menu_paths()],
    text=deep_dream(image, [source]).text,
)
