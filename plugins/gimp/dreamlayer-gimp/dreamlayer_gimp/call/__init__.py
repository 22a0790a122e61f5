"""How the procedure is called: arguments, options, errors and the guard against exceptions."""
