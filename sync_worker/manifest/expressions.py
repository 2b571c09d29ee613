"""Regular expressions that come from manifests, on an engine that stops. Pure.

Some expressions take years over some texts, and a manifest may come from a stranger.
"""

from __future__ import annotations

import re

MATCH_SECONDS = 0.05  # for one text


def problem_of(expression: str) -> str:
    """What is wrong with an expression, in words; empty if nothing is."""
    try:
        re.compile(expression)
    except re.error as error:
        return f"{expression!r} is no regular expression: {error}"
    return ""


def fits(expression: str, text: str) -> bool:
    """Whether an expression fits the whole text; what takes too long does not."""
    import regex  # few manifests have one

    try:
        return regex.fullmatch(expression, text, timeout=MATCH_SECONDS) is not None
    except TimeoutError:
        return False
