"""What stands at a path of a system's JSON, in words for the author of its manifest. Pure.

Keys and kinds are said, never a value: a wrong path may lead to what a person wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MAX_KEYS = 12
MAX_SHOWN = 40  # characters of a key


def kind_of(value: Any) -> str:
    """What a value is, without what it says."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case Decimal() | float():
            return "a number"
        case str():
            return "a text" if value else "an empty text"
        case list():
            return f"a list of {len(value)}"
        case Mapping():
            return f"an object with: {keys_of(value)}"
        case _:
            return "something else"


def keys_of(value: Mapping[str, Any]) -> str:
    """The first keys of an object, as a person would look for the right one."""
    keys = [str(key)[:MAX_SHOWN] for key in list(value)[:MAX_KEYS]]
    readable = [key if key.isprintable() else repr(key) for key in keys]
    return ", ".join([*readable, *(["…"] if len(value) > MAX_KEYS else [])]) or "nothing"


def at_path(path: str, document: Any, whole: str = "the record") -> str:
    """Words for a path at which nothing is of use: what stands there, or nearest to it.

    ``whole``: what the document is called.
    """
    here, name = document, whole
    for part in str(path).split("."):
        if not isinstance(here, Mapping):
            return f"nothing at `{path}`, {name} is {kind_of(here)}"
        if part not in here:
            return f"nothing at `{path}`, {name} has: {keys_of(here)}"
        here = here[part]
        name = f"`{part}`" if name == whole else f"{name[:-1]}.{part}`"
    return f"{kind_of(here)} at `{path}`"
