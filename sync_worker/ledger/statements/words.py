"""The words of a link: what both sides last said, in the columns of its row."""

from __future__ import annotations

from typing import Any

from sync_worker.core.values import Base, Value
from sync_worker.core.values.texts import BODY, REPLY, TITLE, WORDS_VERSION, storable

WORDS_COLUMNS = (
    "title_wix",
    "title_external",
    "body_wix",
    "body_external",
    "reply_wix",
    "reply_external",
)
NOTHING_SAID = (None,) * len(WORDS_COLUMNS)


def words_of(row: Any) -> dict[str, Base]:
    """The words of a link, by name."""
    words = {
        TITLE: Base(row.title_wix, row.title_external, WORDS_VERSION),
        BODY: Base(row.body_wix, row.body_external, WORDS_VERSION),
    }
    # Most reviews are never answered, or their answers do not travel.
    if row.reply_wix is not None or row.reply_external is not None:
        words[REPLY] = Base(row.reply_wix, row.reply_external, WORDS_VERSION)
    return words


def from_words(name: str, base: Base) -> dict[str, Any]:
    """Columns of a link; as any database holds them."""
    return {f"{name}_wix": stored(base.wix), f"{name}_external": stored(base.external)}


def stored(value: Value | None) -> str | None:
    """Of words, what any database holds."""
    return storable(value) if isinstance(value, str) else None
