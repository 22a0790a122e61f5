"""What a network is made of: layers, receptive fields, and the part cut out up to a layer."""
