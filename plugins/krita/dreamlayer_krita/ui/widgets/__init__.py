"""General-purpose widgets that do not depend on the session."""
