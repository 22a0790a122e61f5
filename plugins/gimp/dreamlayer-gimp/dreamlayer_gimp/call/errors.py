"""Exceptions that end a call early."""


class Cancelled(Exception):
    """The user pressed Cancel; nothing was changed."""


class CallRefused(Exception):
    """The call can't be done; the text is one or two sentences for the user."""
