"""The structure of a network: layers, receptive fields, and extracted parts."""
