"""A network as a list of steps, which every executor except autograd runs."""
