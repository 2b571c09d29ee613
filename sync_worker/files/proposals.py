"""Proposals for a person to confirm: pairs of entities out of two catalogue exports, contacts out
of addresses.

What is not certain is never proposed as if it were: it is listed as doubtful, with the reason.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sync_worker.core.values import Contact, EntityRef
from sync_worker.files.mapping_files import BadFile

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
GROUP = "external_group"
WIX_ID = re.compile(r"product_([0-9a-f]{8}-[0-9a-f-]{27})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a catalogue; ``group`` is the external system's own."""

    id: str
    sku: str = ""
    name: str = ""
    group: str = ""

    def by(self, way: By) -> str:
        """What it is compared by: names without regard to case and spaces."""
        match way:
            case "id":
                return self.id
            case "sku":
                return self.sku
            case "name":
                return " ".join(self.name.casefold().split())


@dataclass(frozen=True, slots=True)
class Pair:
    wix: Item
    external: Item
    way: By


@dataclass(frozen=True, slots=True)
class UnmatchedItem:
    """A thing of one side that has no certain twin."""

    side: Literal["wix", "external"]
    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class EntityProposal:
    pairs: Sequence[Pair]
    doubts: Sequence[UnmatchedItem]


def read_catalogue(path: Path, columns: Mapping[str, str] | None = None) -> list[Item]:
    """A catalogue export; variants and pictures are passed over. ``columns``: names where ours do
    not fit.

    Raises BadFile.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            header = list(rows.fieldnames or [])
            named = {way: _column(path, header, way, columns or {}) for way in ALL_WAYS}
            return [item for row in rows if (item := _item(row, named)) is not None]
    except OSError as error:
        raise BadFile([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise BadFile([f"{path}: is not UTF-8; save it as 'CSV UTF-8'"]) from None
    except csv.Error as error:
        raise BadFile([f"{path}: is no CSV ({error})"]) from None


def _column(path: Path, header: Sequence[str], way: By, columns: Mapping[str, str]) -> str | None:
    if (wanted := columns.get(way)) is not None:
        if wanted not in header:
            raise BadFile(
                [f"{path}:1: there is no column {wanted!r}; the columns are: {', '.join(header)}"]
            )
        return wanted
    by_name = {name.strip().lower(): name for name in header}
    found = next((by_name[name] for name in COLUMNS[way] if name in by_name), None)
    if found is None and way == "id":
        raise BadFile(
            [
                f"{path}:1: no column holds the id; the columns are: {', '.join(header)}; name it:"
                " id=COLUMN"
            ]
        )
    return found


def _item(row: Mapping[str, str | None], named: Mapping[By, str | None]) -> Item | None:
    kind = (row.get("fieldType") or "product").strip().lower()
    cells = {way: _cell(row, column) for way, column in named.items()}
    # The export of Wix has rows for variants too.
    if kind != "product" or not cells["id"]:
        return None
    handle = WIX_ID.fullmatch(cells["id"])  # the export writes product_ before the product's id
    item_id = handle.group(1) if handle else cells["id"]
    return Item(item_id, cells["sku"], cells["name"], _cell(row, GROUP))


def _cell(row: Mapping[str, str | None], column: str | None) -> str:
    return "" if column is None else (row.get(column) or "").strip()


def propose_entities(
    wix: Sequence[Item], external: Sequence[Item], ways: Sequence[By] = ALL_WAYS
) -> EntityProposal:
    """Pairs by the first way that fits one thing on each side and no other; the rest are doubts."""
    pairs: list[Pair] = []
    reasons: dict[tuple[Literal["wix", "external"], str], str] = {}
    left_wix, left_external = list(dict.fromkeys(wix)), list(dict.fromkeys(external))
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
    order = {item: number for number, item in enumerate(wix)}
    return EntityProposal(sorted(pairs, key=lambda pair: order[pair.wix]), doubts)


def _by(items: Iterable[Item], way: By) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        if item.by(way):
            found.setdefault(item.by(way), []).append(item)
    return found


def _without(items: Iterable[Item], taken: Iterable[Item]) -> list[Item]:
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


def read_addresses(path: Path, column: str) -> list[str]:
    """The addresses in one column of a CSV file. Raises BadFile."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if column not in (rows.fieldnames or ()):
                names = ", ".join(rows.fieldnames or ())
                raise BadFile(
                    [f"{path}:1: there is no column {column!r}; the columns are: {names}"]
                )
            return [text for row in rows if "@" in (text := (row[column] or "").strip())]
    except OSError as error:
        raise BadFile([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise BadFile([f"{path}: is not UTF-8; save it as 'CSV UTF-8'"]) from None
