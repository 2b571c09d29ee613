"""One real record, read through every declared path, and printed as we understand it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sync_worker.core.errors import Permanent, SyncError
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import EntityRef, Record
from sync_worker.doctor.first_page import first_page_with_records
from sync_worker.doctor.live.advice import in_words, masked, place_after
from sync_worker.doctor.live.catalogue import check_catalogue
from sync_worker.doctor.live.pages import check_changed, check_pages
from sync_worker.doctor.live.paths import (
    check_paths,
    check_scale,
    check_times,
    check_words,
    state_word,
)
from sync_worker.doctor.live.rights import check_right
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.manifest.check import Finding
from sync_worker.manifest.check.leaves import leaves_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import created_at
from sync_worker.manifest.schema.calls import OperationSpec

RECORD = "live: a record"
BY_ID = "live: the record by its id"
SEARCH = "live: the search"


def read_live(system: LiveSystem) -> Iterator[Finding]:
    """What the system shows. It ends with the first call that nothing can be read from."""
    yield from check_right(system)
    yield from check_catalogue(system)
    operations = system.manifest.operations
    if operations.list is None:
        yield Finding(RECORD, advice="nothing can be listed, so no record was read")
        return
    try:
        items = system.rows.items
    except SyncError as error:
        yield Finding(RECORD, in_words(error, "list"), place=place_after(error, "list"))
        return
    if not items:
        yield Finding(RECORD, advice="there is none yet; add one there and check again")
        return
    records, errors = system.readable()
    if not records:
        place = errors[0].message.partition(":")[0]
        yield Finding(RECORD, errors[0].message, place=place)
        return
    yield Finding(f"{RECORD}: {in_our_words(system.manifest, records[0])}")
    yield from _unread(errors, len(items))
    yield from _seen(system, records)


def read_port(manifest: Manifest, remote: Remote) -> Iterator[Finding]:
    """The first record that a plugin lists, and the same one by its id."""
    try:
        page = first_page_with_records(remote)
        if not page.records:
            yield Finding(RECORD, advice="there is none yet; add one there and check again")
            return
        record = page.records[0]
        yield Finding(f"{RECORD}: {in_our_words(manifest, record)}")
        again = remote.get(record.remote_id)
    except SyncError as error:
        yield Finding(RECORD, str(error))
        return
    yield Finding(BY_ID, "it is gone, says the plugin" if again is None else "")


def _seen(system: LiveSystem, records: list[Record]) -> Iterator[Finding]:
    manifest = system.manifest
    yield from check_paths(manifest, system.rows.items, system.rows.context)
    yield from check_words(manifest, records)
    yield from check_scale(manifest, records)
    yield from check_times(manifest, records)
    yield from _by_id(system, records[0])
    yield from check_pages(system)
    yield from check_changed(system)
    yield from _searched(system, records)


def in_our_words(manifest: Manifest, record: Record) -> str:
    """A record as we understand it, the person masked."""
    entity, mark = record.entity, record.values.get("value")
    word = state_word(manifest, record)
    parts = [
        f"id {record.remote_id}",
        f"product {entity.entity_id}" if entity else "no product",
        f"by {masked(record.person)}",
        f"{mark} of {manifest.scale.scale}" if mark is not None else "no stars",
        f"{record.state.value}" + (f" ({word})" if word else ""),
    ]
    try:
        made = created_at(manifest, record.raw)
    except Permanent:
        made = None
    if made is not None:
        parts.append(f"made {made:%Y-%m-%d %H:%M %Z}")
    return ", ".join(parts)


def _unread(errors: list[Permanent], count: int) -> Iterator[Finding]:
    if errors:
        words = f"{len(errors)} of {count} cannot be read: {errors[0].message}"
        yield Finding("live: further records", advice=words)


def _by_id(system: LiveSystem, record: Record) -> Iterator[Finding]:
    spec = system.manifest.operations.get
    if spec is None:
        return
    try:
        again = system.remote.get(record.remote_id)
    except SyncError as error:
        yield Finding(BY_ID, in_words(error, "get"), place=place_after(error, "get"))
        return
    place = "operations.get"
    if again is None:
        wrong = "the system says that it is gone, and lists it; check operations.get.errors"
        yield Finding(BY_ID, wrong, place=f"{place}.errors")
        return
    yield Finding(BY_ID, _difference(record, again), place=place)


def _difference(listed: Record, again: Record) -> str:
    """What a record shows by its id, where the listing shows something else."""
    pairs: list[tuple[str, Any, Any]] = [
        ("", again.values.get("value"), listed.values.get("value")),
        ("the state ", again.state, listed.state),
        ("the product ", _id(again.entity), _id(listed.entity)),
        ("the id ", again.remote_id, listed.remote_id),
    ]
    for what, there, here in pairs:
        if there != here:
            return f"it shows {what}{there}, the listing {here}; check result_path and the paths"
    if again.person.email != listed.person.email:
        return "it shows another person than the listing; check fields.email"
    return ""


def _id(entity: EntityRef | None) -> str | None:
    return entity.entity_id if entity else None


def _searched(system: LiveSystem, records: list[Record]) -> Iterator[Finding]:
    """Whether the search before each create finds what is there, and nothing else."""
    spec = system.manifest.operations.find
    known = [one for one in records if one.entity and one.person.email and one.is_visible]
    if not isinstance(spec, OperationSpec) or not known:
        return
    record, place = known[0], "operations.find.query"
    entity, email = record.entity or EntityRef(""), record.person.email
    try:
        found = system.searched(entity, record.person)
    except SyncError as error:
        yield Finding(SEARCH, in_words(error, "find"), place=place_after(error, "find"))
        return
    theirs = [one for one in found if (one.entity, one.person.email) == (entity, email)]
    if len(theirs) < len(found):
        leaves = [leaf.place.rpartition(".")[2] for leaf in leaves_of(spec, "")]
        words = (
            "operations.find lists records of others, too: does the system know its parameter"
            f" {', '.join(leaves)}? Each create would cost the whole listing"
        )
        yield Finding(SEARCH, advice=words, place=place)
        return
    if record.remote_id in [one.remote_id for one in theirs]:
        yield Finding(SEARCH)
        return
    wrong = f"operations.find does not find {record.remote_id}, which is there; check {place}"
    yield Finding(SEARCH, wrong, place=place)
