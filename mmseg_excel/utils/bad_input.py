"""BadInput: what a user gave cannot be used, said in one sentence."""

from __future__ import annotations


class BadInput(ValueError):
    """A setting, file or picture that cannot be used.

    Its message is one sentence for the user: what (setting or file), which value, and the way out.
    Command lines print it and exit with code 2, whenever it is raised; of other errors they print
    the sentence only while they read and set up, as later ones are defects.

    Args:
        message: The sentence. Data loaders wrap what a worker raised in its traceback; of that,
            the sentence is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition('BadInput: ')[2].strip())
