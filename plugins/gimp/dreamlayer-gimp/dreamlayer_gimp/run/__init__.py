"""One run of the filter: dream, progress, the live layer, the result, frames of an animation."""
