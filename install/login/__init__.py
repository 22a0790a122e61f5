"""What starts the daemon besides the programs that need it: the login, or a wish from a sandbox."""
