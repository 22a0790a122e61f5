"""Pictures read by windows: planes, padding, resampling, pyramids, noise and the NaN guard."""
