"""The second page of a live listing, and what it lists of what changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_worker.core.errors import SyncError
from sync_worker.doctor.live.advice import in_words
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.manifest.check import Finding
from sync_worker.manifest.paging.incremental import newest_of, since_query
from sync_worker.manifest.paging.pagination import page_query
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.manifest.schema.polling import Incremental
from sync_worker.remotes.external.calls import Options

PAGING = "operations.list.pagination"
SECOND = "live: the second page"
CHANGED = "live: what changed"
MORE = re.compile(r"next|has_?more", re.IGNORECASE)
TOTAL = re.compile(r"^x-(wp-)?total$|^total(_?(count|items|results))?$|^count$", re.IGNORECASE)
LEADS = {
    "page": "total_pages_path",
    "offset": "total_path",
    "cursor": "next_path",
    "next_link": "source",
}

# Where to look if the second page is empty, though there are more records.
EMPTY = {
    "page": ("param", " and start"),
    "offset": ("param", ": does it count records, or pages?"),
    "cursor": ("param", " and next_path"),
    "next_link": ("source", ": the link leads nowhere"),
}


def check_pages(system: LiveSystem) -> Iterator[Finding]:
    """Whether a page of one record is followed by another one."""
    spec = system.listing
    if spec is None or len(system.rows.items) == 0:
        return
    small = spec.model_copy(update={"pagination": spec.pagination.model_copy(update={"size": 1})})
    try:
        if spec.pagination.kind == "none":
            yield _only_page(system, spec)
        else:
            yield _second_page(system, small)
    except SyncError as error:
        yield Finding(SECOND, in_words(error, "list"), place=PAGING)


def _second_page(system: LiveSystem, small: OperationSpec) -> Finding:
    known, context = len(system.rows.items), system.rows.context
    first = system.page(small, context)
    is_small = len(first.items) == 1
    if first.place is None:
        key = f"{PAGING}.{LEADS[small.pagination.kind]}"
        told = "" if is_small else _told_of_more(system, small)
        if is_small and known > 1:
            told = f"there are at least {known} records"
        if told:
            return Finding(SECOND, f"nothing leads to it, and {told}; check {key}", place=key)
        return Finding(SECOND, advice=_unseen(small, known, is_small), place=PAGING)
    second = system.page(small, context, first.place)
    if not second.items and is_small and known > 1:
        key, beside = EMPTY[small.pagination.kind]
        key = f"{PAGING}.{key}"
        words = f"it is empty, and there are at least {known} records; check {key}{beside}"
        return Finding(SECOND, words, place=key)
    if not second.items:
        return Finding(SECOND, advice=_unseen(small, known, is_small), place=PAGING)
    if not is_small and small.pagination.page_size_param:
        key = f"{PAGING}.size_param"
        words = f"it is there; asked for 1 record the system gave {len(first.items)}: check {key}"
        return Finding(SECOND, advice=words, place=key)
    return Finding(SECOND)


def _unseen(small: OperationSpec, known: int, is_small: bool) -> str:
    if is_small or known == 1:
        return "there is one record only, so it cannot be seen"
    asked = page_query(small.pagination, Place())
    return f"all {known} records came at once, whatever {', '.join(asked) or 'was asked'} said"


def _only_page(system: LiveSystem, spec: OperationSpec) -> Finding:
    """A listing that is declared to have one page: whether its answer tells of more."""
    known = len(system.rows.items)
    told = _told_of_more(system, spec)
    if told:
        return Finding(SECOND, f"{told}; declare {PAGING}", place=PAGING)
    if known in (10, 20, 25, 50, 100):
        words = f"exactly {known} records came: is that all, or is {PAGING} missing?"
        return Finding(SECOND, advice=words, place=PAGING)
    return Finding(f"{SECOND}: none is declared, and none is told of")


def _told_of_more(system: LiveSystem, spec: OperationSpec) -> str:
    """What an answer says of further records, beside its rows; empty if nothing."""
    known = len(system.rows.items)
    answer = system.calls.send(spec, "list", {**system.rows.context, "page": {}}, Options())
    for name, value in {**_parts(answer.body), **dict(answer.headers.items())}.items():
        key = name.rpartition(".")[2]
        if TOTAL.match(key) and str(value).isdecimal() and int(value) > known:
            return f"the answer tells of {value} records, and has {known} ({name})"
        is_link = key.lower() == "link" and 'rel="next"' in str(value)
        if is_link or (MORE.search(key) and value not in (None, "", False)):
            return f"the answer tells of a further page ({name})"
    return ""


def _parts(body: Any) -> dict[str, Any]:
    """What stands beside the rows of an answer, two levels deep."""
    if not isinstance(body, Mapping):
        return {}
    found = {str(key): value for key, value in body.items() if not isinstance(value, list)}
    for key, value in body.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": part for name, part in value.items()}
    return {name: value for name, value in found.items() if not isinstance(value, Mapping | list)}


def check_changed(system: LiveSystem) -> Iterator[Finding]:
    """Whether the listing knows ``poll.incremental``: nothing changed after tomorrow."""
    poll, spec = system.manifest.operations.poll, system.listing
    if poll is None or poll.incremental is None or spec is None or not system.rows.items:
        return
    place = "operations.poll.incremental"
    ahead = timedelta(days=2, seconds=poll.incremental.overlap_s)
    more = since_query(poll.incremental, datetime.now(UTC) + ahead)
    try:
        page = system.page(spec, system.rows.context, None, more)
        late = "" if page.items else _lately(system, spec, poll.incremental)
    except SyncError as error:
        words = f"{', '.join(more)} is refused: {error}; check {place}.param and format"
        yield Finding(CHANGED, words, place=place)
        return
    if page.items:
        words = (
            f"asked for what changes after tomorrow, the system lists {len(page.items)} records: it"
            f" does not know its parameter {', '.join(more)}; check {place}.param and format"
        )
        yield Finding(CHANGED, words, place=f"{place}.param")
        return
    yield Finding(CHANGED, late, place=f"{place}.format")


def _lately(system: LiveSystem, spec: OperationSpec, incremental: Incremental) -> str:
    """What is wrong if the newest record that was seen is not listed as changed since then."""
    records, _ = system.readable()
    newest = newest_of(system.manifest, incremental, records, datetime.now(UTC))
    if newest is None:
        return ""
    more = since_query(incremental, newest - timedelta(days=1))
    if system.page(spec, system.rows.context, None, more).items:
        return ""
    asked = ", ".join(f"{name}={value}" for name, value in more.items())
    return (
        f"asked with {asked} the system lists nothing, and a record of {newest:%Y-%m-%d %H:%M} is"
        " there; check operations.poll.incremental.format and semantics"
    )
