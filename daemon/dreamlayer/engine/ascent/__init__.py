"""Gradient ascent at one size of the picture: steps, conditioning of the gradient, regularisers."""
