"""Convert values from files to the types of settings."""

from __future__ import annotations

import math
import reprlib
import sys
import typing

LARGEST = sys.float_info.max
LONGEST = 120  # most characters of a value in a message
# a YAML file of a few lines can repeat one list a thousand million times
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring, SHORT.maxlist, SHORT.maxlong = 3, 60, 8, 60


def short_repr(value) -> str:
    """Return a value as text for a message, shortened if it is long.

    Args:
        value: a value of any type.

    Returns:
        At most 120 characters.

    Example:
        >>> from sparse_ae.runtime.values import short_repr
        >>> short_repr("three"), short_repr(list(range(1000)))
        ("'three'", '[0, 1, 2, 3, 4, 5, 6, 7, ...]')
    """
    text = SHORT.repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def as_type(name: str, expected, value):
    """Convert a value to the type of a setting: a list to a tuple, an integer to a float if needed.

    Args:
        name: name of the setting, for messages.
        expected: int, float, bool, str, or a tuple of them such as tuple[int, ...].
        value: value from a file.

    Returns:
        The value, of the expected type.

    Raises:
        ValueError: the value has another type or is not finite; the message is one line.

    Example:
        >>> from sparse_ae.runtime.values import as_type
        >>> as_type("lr", float, 1), as_type("widths", tuple[int, ...], [32, 48])
        (1.0, (32, 48))
    """
    if typing.get_origin(expected) is tuple:
        return _as_tuple(name, typing.get_args(expected), value)
    wanted = {int: "an integer", float: "a number", bool: "true or false", str: "a name"}[expected]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > LARGEST:
            raise ValueError(f"{name}: expected a finite number, got {short_repr(value)}")
        value = float(value)
    if expected is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        hint = " (write 1.0e-3, not 1e-3)" if expected is float and isinstance(value, str) else ""
        raise ValueError(f"{name}: expected {wanted}, got {short_repr(value)}{hint}")
    return value


def _as_tuple(name: str, members: tuple, value) -> tuple:
    """Convert a list to a tuple whose members have these types."""
    kind = "names" if members[0] is str else "numbers"
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name}: expected a list of {kind}, got {short_repr(value)}")
    if members[-1] is Ellipsis:
        members = (members[0],) * len(value)
    if len(value) != len(members):
        raise ValueError(f"{name}: expected {len(members)} {kind}, got {len(value)}")
    return tuple(as_type(name, kind, item) for kind, item in zip(members, value, strict=True))
