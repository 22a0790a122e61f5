"""Installing Dreamlayer from a plug-in that came as a zip, with what is in the zip."""
