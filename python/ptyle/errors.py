"""The exceptions of ptyle: one sentence each, the same that the program prints."""


class Error(Exception):
    """A fault of ptyle itself, or of the machine. Want of memory is a MemoryError."""


class InputError(Error, ValueError):
    """A mistake that the user can mend: what is wrong, where (file, key), and what would be right."""
