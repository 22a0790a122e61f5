"""What a dream maximises: terms over feature maps, and how a recipe binds them to a network."""
