"""A network as a list of steps, and passes over that list; every executor but autograd runs it."""
