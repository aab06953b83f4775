"""Checks of the settings that several transformers take."""


def check_count(name: str, value: int) -> None:
    """Raises an error unless a setting is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"Argument `{name}`: expected an integer, received {value!r}.")
    if value < 1:
        raise ValueError(f"Argument `{name}`: expected at least 1, received {value}.")
