"""The developer's command that pins everything the installer installs, with hashes."""
