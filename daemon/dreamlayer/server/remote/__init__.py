"""Dreaming on another computer: its daemon behind the interface of a local studio."""
