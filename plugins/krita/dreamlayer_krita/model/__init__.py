"""The docker's state and actions, without Qt: the session, jobs, live layers, films, editing."""
