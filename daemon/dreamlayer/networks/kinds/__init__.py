"""Kinds: dogs, birds, towers … as sets of channels that a network's classifier counts for them."""
