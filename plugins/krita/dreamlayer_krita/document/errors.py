"""What the plug-in can't do with a document, as it is said to the user."""


class DocumentError(ValueError):
    """The document can't be dreamed on as it is; the text is one sentence for the user."""
