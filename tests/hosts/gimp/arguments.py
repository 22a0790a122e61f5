"""Inside GIMP: the procedure's arguments, after those that every filter has."""

import case
from gi.repository import Gimp

procedure = Gimp.get_pdb().lookup_procedure("plug-in-dreamlayer")
names = [argument.get_name() for argument in procedure.get_arguments()]
case.verdict(names=names[names.index("drawables") + 1 :])
