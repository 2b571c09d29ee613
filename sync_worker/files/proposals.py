"""Proposals for a person to confirm: pairs of entities out of two catalogues, read live or from
exports, contacts out of addresses.

What is not certain is never proposed as if it were: it is listed as doubtful, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sync_worker.core.values import Contact, EntityRef
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.core.words import MAX_ENTITY_ID, MAX_GROUP
from sync_worker.files.cells import BadCell, id_within, plain
from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.rows import BadFile, Row

By = Literal["id", "sku", "name"]
ALL_WAYS: tuple[By, ...] = ("id", "sku", "name")

# Headers of known exports, in small letters. Wix Stores:
# https://support.wix.com/en/article/wix-stores-csv-file-fields; WooCommerce:
# https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Importer-&-Exporter
COLUMNS: Mapping[By, Sequence[str]] = {
    "id": ("id", "product_id", "productid", "entity_id", "external_id", "handleid", "handle"),
    "sku": ("sku", "variant sku", "product_sku", "product sku"),
    "name": ("name", "title", "product_name", "product name", "product title"),
}
GROUP, FIELD_TYPE = "external_group", "fieldType"
WIX_ID = re.compile(r"product_([0-9a-f]{8}-[0-9a-f-]{27})", re.IGNORECASE)


def key_by(item: CatalogueItem, way: By) -> str:
    """What an item is compared by: names without regard to case and spaces."""
    match way:
        case "id":
            return item.id
        case "sku":
            return item.sku
        case "name":
            return " ".join(item.name.casefold().split())


@dataclass(frozen=True, slots=True)
class Pair:
    wix: CatalogueItem
    external: CatalogueItem
    way: By


@dataclass(frozen=True, slots=True)
class UnmatchedItem:
    """A thing of one side that has no certain twin."""

    side: Literal["wix", "external"]
    item: CatalogueItem
    reason: str


@dataclass(frozen=True, slots=True)
class EntityProposal:
    pairs: Sequence[Pair]
    doubts: Sequence[UnmatchedItem]


def read_catalogue(path: Path, columns: Mapping[str, str] | None = None) -> list[CatalogueItem]:
    """A catalogue export; variants and pictures are passed over. ``columns``: names where ours do
    not fit.

    A row that cannot be read, or whose id a spreadsheet has changed, is an item with its problem.
    Raises BadFile.
    """
    with CsvFile(path) as file:
        parts: dict[str, int | None] = {
            GROUP: file.place_of(GROUP),
            FIELD_TYPE: file.place_of(FIELD_TYPE),
        }
        for way in ALL_WAYS:
            parts[way] = _column(file, way, columns or {})
        return [item for row in file.rows() if (item := _item(row, parts)) is not None]


def _column(file: CsvFile, way: By, columns: Mapping[str, str]) -> int | None:
    if (wanted := columns.get(way)) is not None:
        return file.needed_place_of(wanted)
    for name in COLUMNS[way]:
        if (place := file.place_of(name)) is not None:
            return place
    if way == "id":
        names = ", ".join(file.header)
        why = f"no column holds the id; the columns are: {names}; name it: id=COLUMN"
        raise BadFile([f"{file.path}:1: {why}"])
    return None


def _item(row: Row, places: Mapping[str, int | None]) -> CatalogueItem | None:
    if row.problem:
        return CatalogueItem("", problem=f"line {row.line}: {row.problem}")
    cells = {
        part: "" if place is None else plain(row.cells[place]) for part, place in places.items()
    }
    kind = (cells[FIELD_TYPE] or "product").lower()
    # The export of Wix has rows for variants too.
    if kind != "product" or not cells["id"]:
        return None
    handle = WIX_ID.fullmatch(cells["id"])  # the export writes product_ before the product's id
    item_id = handle.group(1) if handle else cells["id"]
    problem = ""
    try:
        id_within(item_id, MAX_ENTITY_ID)
        id_within(cells["sku"], MAX_ENTITY_ID)
        id_within(cells[GROUP], MAX_GROUP)
    except BadCell as bad:
        problem = f"line {row.line}: {bad}"
    return CatalogueItem(item_id, cells["sku"], cells["name"], cells[GROUP], problem)


def propose_entities(
    wix: Sequence[CatalogueItem], external: Sequence[CatalogueItem], ways: Sequence[By] = ALL_WAYS
) -> EntityProposal:
    """Pairs by the first way that fits one thing on each side and no other; the rest are doubts."""
    pairs: list[Pair] = []
    reasons: dict[tuple[Literal["wix", "external"], str], str] = {}
    left_wix = [item for item in dict.fromkeys(wix) if not item.problem]
    left_external = [item for item in dict.fromkeys(external) if not item.problem]
    for way in ways:
        here, there = _by(left_wix, way), _by(left_external, way)
        for key in here.keys() & there.keys():
            if len(here[key]) == len(there[key]) == 1:
                pairs.append(Pair(here[key][0], there[key][0], way))
                continue
            # Several things look alike: which is which is for a person to say.
            times = f"{len(here[key])} times on Wix and {len(there[key])} times outside"
            why = f"{way} {key!r} stands {times}"
            reasons |= {("wix", item.id): why for item in here[key]}
            reasons |= {("external", item.id): why for item in there[key]}
        left_wix = _without(left_wix, (pair.wix for pair in pairs))
        left_external = _without(left_external, (pair.external for pair in pairs))
    nothing = f"nothing with the same {' or '.join(ways)} on the other side"
    doubts = [
        UnmatchedItem("wix", item, reasons.get(("wix", item.id), nothing)) for item in left_wix
    ]
    for item in left_external:
        why = reasons.get(("external", item.id), nothing)
        doubts.append(UnmatchedItem("external", item, why))
    doubts += [UnmatchedItem("wix", item, item.problem) for item in wix if item.problem]
    doubts += [UnmatchedItem("external", item, item.problem) for item in external if item.problem]
    order = {item: number for number, item in enumerate(wix)}
    return EntityProposal(sorted(pairs, key=lambda pair: order[pair.wix]), doubts)


def _by(items: Iterable[CatalogueItem], way: By) -> dict[str, list[CatalogueItem]]:
    found: dict[str, list[CatalogueItem]] = {}
    for item in items:
        if key_by(item, way):
            found.setdefault(key_by(item, way), []).append(item)
    return found


def _without(items: Iterable[CatalogueItem], taken: Iterable[CatalogueItem]) -> list[CatalogueItem]:
    gone = set(taken)
    return [item for item in items if item not in gone]


def pair_of(pair: Pair, namespace: str, group: str) -> tuple[EntityRef, EntityRef]:
    """The references of both things, on Wix and outside."""
    wix = EntityRef(pair.wix.id, group, namespace)
    return wix, EntityRef(pair.external.id, pair.external.group)


# -- contacts


@dataclass(frozen=True, slots=True)
class ContactProposal:
    """``certain`` may be imported; ``doubtful`` are (address, contact or ``None``, why)."""

    certain: Sequence[Contact]
    doubtful: Sequence[tuple[str, Contact | None, str]]


def propose_contacts(
    emails: Sequence[str], found: Mapping[str, Sequence[Contact]]
) -> ContactProposal:
    """One contact for an address is certain, several or none are not.

    Addresses are normalised, order is theirs.
    """
    certain: list[Contact] = []
    doubtful: list[tuple[str, Contact | None, str]] = []
    first_address: dict[str, str] = {}
    for email in dict.fromkeys(emails):
        contacts = found.get(email, ())
        if len(contacts) == 1:
            contact = contacts[0]
            if (other := first_address.setdefault(contact.contact_id, email)) != email:
                doubtful.append(
                    (email, contact, f"the same contact has {other} too; both are mapped")
                )
            certain.append(Contact(contact.contact_id, email, contact.name))
        elif contacts:
            doubtful += [
                (email, contact, f"one of {len(contacts)} contacts with this address")
                for contact in contacts
            ]
        else:
            doubtful.append((email, None, "no contact has this address"))
    return ContactProposal(certain, doubtful)


def read_addresses(path: Path, column: str) -> tuple[list[str], list[str]]:
    """The addresses in one column of a CSV file, and the rows that cannot be read, as lines.

    Raises BadFile.
    """
    addresses: list[str] = []
    problems: list[str] = []
    with CsvFile(path) as file:
        place = file.needed_place_of(column)
        for row in file.rows():
            if row.problem:
                problems.append(f"{path}:{row.line}: {row.problem}")
            elif text := plain(row.cells[place]):
                addresses.append(text)
    return addresses, problems
