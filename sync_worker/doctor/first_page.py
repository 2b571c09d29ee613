"""What the first page of a listing shows: whether it can be read, and whom and what it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync_worker.core.ports.remote import Page, Remote
from sync_worker.core.values import Record
from sync_worker.doctor.measured import Measured, yes_no

MAX_PAGES = 20  # of a listing, or of parents, until one has a record
READ = "a record can be read"
PEOPLE = "people of the first page are recognised"
PRODUCTS = "products of the first page are recognised"
PICTURES = "pictures are read as addresses"
PICTURES_BY_ID = "get shows the pictures that the listing shows"


def first_page_with_records(remote: Remote) -> Page:
    """The first page that has any, readable or not. Raises what the remote raises."""
    page = remote.list_page(None)
    for _ in range(MAX_PAGES):
        if page.records or page.unreadable or page.cursor is None:
            break
        page = remote.list_page(page.cursor)
    return page


def read_page(page: Page, *, may_be_empty: bool) -> Iterator[Measured]:
    """``may_be_empty``: a record is made later on, and read then."""
    records, unreadable = page.records, page.unreadable
    yield Measured("listing", None, f"{len(records)} records on the first page that has any")
    if unreadable:
        count = f"{unreadable} of {unreadable + len(records)}"
        yield Measured("rows that cannot be read", None, count)
    if not records and unreadable:
        seen = f"no: none of {unreadable} rows; {page.why_unreadable}".rstrip("; ")
        place = page.why_unreadable.partition(":")[0] or "fields"
        yield Measured(READ, "yes", seen, key=place)
        return
    if not records:
        seen = "no: the listing is empty; add a record there"
        yield Measured(READ, "yes", seen, is_known=not may_be_empty, key="operations.list")
        return
    yield Measured(READ, "yes", "yes")
    yield _recognised(PEOPLE, [bool(one.person.email) for one in records], PEOPLE_ARE)
    yield _recognised(PRODUCTS, [one.entity is not None for one in records], PRODUCTS_ARE)


PEOPLE_ARE = ("names an address", "fields.email")
PRODUCTS_ARE = ("names what it rates", "fields.entity")


def _recognised(what: str, known: Sequence[bool], words: tuple[str, str]) -> Measured:
    said, key = words
    if not any(known):
        return Measured(what, "yes", f"no: not one of {len(known)} records {said}", key=key)
    if all(known):
        return Measured(what, "yes", "yes", key=key)
    return Measured(what, None, f"{sum(known)} of {len(known)}", key=key)


LIKE_LISTED = "get shows what the listing shows"


def same_by_id(remote: Remote, record: Record, what: str = LIKE_LISTED) -> Measured:
    """Whether a look by id shows this record. Raises what the remote raises."""
    again = remote.get(record.remote_id)
    is_same = again is not None and (again.values, again.state) == (record.values, record.state)
    return Measured(what, "yes", yes_no(is_same), key="operations.get")


def pictures(remote: Remote, records: Sequence[Record]) -> Iterator[Measured]:
    """Whether records have them where the manifest says so; a page may be without any.

    Raises what the remote raises.
    """
    if not remote.capabilities.media:
        return
    with_some = next((record for record in records if record.media), None)
    if with_some is None:
        seen = f"not one of {len(records)} records shows one; add a review with a picture"
        yield Measured(PICTURES, "yes", seen, is_known=False, key="fields.media")
        return
    yield Measured(PICTURES, "yes", "yes", key="fields.media")
    again = remote.get(with_some.remote_id)
    is_same = again is not None and again.media == with_some.media
    yield Measured(PICTURES_BY_ID, "yes", yes_no(is_same), key="operations.get")
