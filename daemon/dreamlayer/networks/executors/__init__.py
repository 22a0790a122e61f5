"""Ways to run a network forward and backward: autograd, tape, compiled kernel, graphics card."""
