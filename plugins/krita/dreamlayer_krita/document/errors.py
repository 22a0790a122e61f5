"""The error that tells the user why a document can't be dreamed on."""


class DocumentError(ValueError):
    """The document can't be used as it is; the text is a sentence for the user."""
