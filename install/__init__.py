"""The two set-up commands: install.py installs and dreams, test.py tests. Standard library only."""
