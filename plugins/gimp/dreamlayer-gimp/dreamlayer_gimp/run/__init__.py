"""One run of the filter: the dream, its progress and preview on the canvas, animations."""
