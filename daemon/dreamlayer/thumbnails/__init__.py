"""Pictures of what channels, layers and kinds answer to, for front ends to show."""
