"""What can be rated on one side, as its catalogue shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync_worker.core.values.records import EntityRef
from sync_worker.core.words import MAX_ENTITY_ID, MAX_GROUP, is_usable_id, shown

MAX_TITLE = 200  # characters of a name that are kept
MAX_ADDRESS = 2_000
ADDRESSES = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """One thing of a catalogue.

    ``group``: the external system's own; ``url``, ``image``: empty where none can be shown;
    ``problem``: why it is not paired, whatever fits.
    """

    id: str
    sku: str = ""
    name: str = ""
    group: str = ""
    problem: str = ""
    url: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class CataloguePart:
    """What was read of one side's catalogue. ``cursor``: where it goes on; ``None``: it is whole.

    ``unreadable``: rows that had no id.
    """

    items: Sequence[CatalogueItem]
    cursor: str | None
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class ProposedPair:
    """Two things that may be one; ``way``: what fits (id, sku, name); ``id``: of the proposal.

    ``title``, ``external_title``: what the catalogues call them.
    """

    wix: EntityRef
    external: EntityRef
    way: str
    title: str = ""
    external_title: str = ""
    id: int = 0


def item_of(parts: Mapping[str, str]) -> CatalogueItem:
    """An item out of texts from outside, by the names of its fields.

    What the ledger has no room for is its problem. A name is cut, and an address that no browser
    opens is left out: neither is an identity.
    """
    item_id, sku, group = (parts.get(name, "") for name in ("id", "sku", "group"))
    return CatalogueItem(
        item_id,
        sku,
        _title(parts.get("name", "")),
        group,
        _problem(item_id, sku, group),
        _address(parts.get("url", "")),
        _address(parts.get("image", "")),
    )


def _problem(item_id: str, sku: str, group: str) -> str:
    if not is_usable_id(item_id, MAX_ENTITY_ID):
        return f"its id is no id of 1 to {MAX_ENTITY_ID} printable characters"
    if sku and not is_usable_id(sku, MAX_ENTITY_ID):
        return f"its SKU is not of at most {MAX_ENTITY_ID} printable characters"
    if group and not is_usable_id(group, MAX_GROUP):
        return f"its group is not of at most {MAX_GROUP} printable characters"
    return ""


def _title(name: str) -> str:
    """A name on one line, in so many characters."""
    return " ".join(shown(name).split())[:MAX_TITLE]


def _address(text: str) -> str:
    is_one = text.startswith(ADDRESSES) and text.isprintable() and " " not in text
    return text if is_one and len(text) <= MAX_ADDRESS else ""
