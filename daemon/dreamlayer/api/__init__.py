"""Dreaming from Python: `import dreamlayer; dreamlayer.dream(picture, preset="creatures")`."""
