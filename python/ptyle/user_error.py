"""The error of a mistake that the user can mend."""


class UserError(ValueError):
    """One sentence: what is wrong, where (file, key), and what would be right."""
