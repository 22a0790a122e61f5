"""The networks: their registry, extraction up to some layers, and execution."""
