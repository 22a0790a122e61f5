"""The table of a dream's parameters, expressions for what to amplify, and presets."""
