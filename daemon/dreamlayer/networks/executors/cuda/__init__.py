"""The executor for GPUs."""
