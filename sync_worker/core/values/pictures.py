"""Addresses of pictures: what a system shows of them, as far as they may be shown on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

# https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/create-review
MAX_PICTURES = 10
MAX_ADDRESS = 2_000  # characters
MAX_LOOKED_AT = 100  # items of a list
# What has a meaning in an address stays as it is; all else is written in percents.
KEPT = "%/:=&?~#+!$,;'@()*[]"


def pictures_in(found: Any) -> tuple[str, ...]:
    """The https addresses in a value of any kind, each once; what is none is left out."""
    items = found if isinstance(found, list | tuple) else [found]
    addresses = dict.fromkeys(_addresses(islice(items, MAX_LOOKED_AT)))
    return tuple(islice(addresses, MAX_PICTURES))


def _addresses(items: Any) -> Iterator[str]:
    for item in items:
        address = _address(item)
        if address is not None:
            yield address


def _address(item: Any) -> str | None:
    if not isinstance(item, str) or not 0 < len(item) <= MAX_ADDRESS:
        return None
    # No address has a space or a control character in it.
    if not item.isprintable() or " " in item:
        return None
    try:
        address = quote(item, safe=KEPT)
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    # Whoever shows a password to all would not know it.
    is_plain = "@" not in parts.netloc and "%" not in parts.netloc
    if parts.scheme != "https" or "." not in host.strip(".") or not is_plain:
        return None
    return address if len(address) <= MAX_ADDRESS else None
