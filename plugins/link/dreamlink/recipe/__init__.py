"""The table of a dream's parameters, target expressions and presets."""
