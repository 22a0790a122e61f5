"""The command line: `main` parses the arguments; each command has a module."""
