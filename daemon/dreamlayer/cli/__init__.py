"""The command line: `main` parses, one module a command; each is imported when it is called."""
