"""The docker's widgets."""
