"""Dreaming on another computer: its daemon behind the interface of a studio."""
