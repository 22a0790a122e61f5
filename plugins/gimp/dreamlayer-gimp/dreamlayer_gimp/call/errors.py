"""What ends a call early."""


class Cancelled(Exception):
    """The user pressed Cancel; nothing was changed."""


class Refused(Exception):
    """The call can't be served; the text is one sentence or two for the user."""
