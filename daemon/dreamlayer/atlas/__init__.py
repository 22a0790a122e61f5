"""Pages that show what networks have learned: layers, their channels, kinds."""
