"""A call of the procedures: arguments, options, errors, and a guard for GTK callbacks."""
