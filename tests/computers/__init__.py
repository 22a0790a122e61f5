"""Installing on whole computers: bare Debian roots, people without rights, no network."""
