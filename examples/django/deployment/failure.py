"""The one exception of this package: something the user must know or mend. Its text is the whole message."""


class Failure(Exception):
    """Ends `run.py` with exit code 1 and this text."""
