"""Samples without what must not be shared: a draft is a file that people pass on. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

SECRET = re.compile(
    r"secret|token|api[-_]?key|passw|authori[sz]ation|cookie|session|credential|signature|hmac",
    re.IGNORECASE,
)
PERSONAL = re.compile(r"(^|[-_.])(ip|phone|mobile|address|street|zip|iban|birth)", re.IGNORECASE)
# From where a word begins on: each character of a long text is looked at once.
EMAIL = re.compile(r"(?<![^\s@<>\"'])[^\s@<>\"']++@[^\s@<>\"']+\.[^\s@<>\"']+")
LEFT_OUT, EXAMPLE_EMAIL = "…", "person@example.com"


def scrubbed(node: Any, name: str = "") -> Any:
    """The same without secrets, and with an example in the place of each address."""
    if isinstance(node, Mapping):
        return {str(key): scrubbed(value, str(key)) for key, value in node.items()}
    if isinstance(node, list):
        return [scrubbed(item, name) for item in node]
    if isinstance(node, Decimal):
        return int(node) if node == node.to_integral_value() else float(node)
    if isinstance(node, str) and (SECRET.search(name) or PERSONAL.search(name)):
        return LEFT_OUT if "@" not in node else EXAMPLE_EMAIL
    return EMAIL.sub(EXAMPLE_EMAIL, node) if isinstance(node, str) else node
