"""What a connector can do and cannot, derived from its manifest, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.manifest.schema.polling import Poll
from sync_worker.manifest.schema.verify import JwtVerify, UrlTokenVerify
from sync_worker.manifest.words_summary import describe_words


@dataclass(frozen=True, slots=True)
class Description:
    """``can``: ability → what it means here. ``limits``: what to know before relying on it."""

    can: dict[str, str]
    limits: tuple[str, ...]


def describe(manifest: Manifest) -> Description:
    return Description(dict(_abilities(manifest)), tuple(_limits(manifest)))


def ways(manifest: Manifest) -> str:
    """The directions in which ratings can travel."""
    operations = manifest.operations
    writes = [
        name for name in ("create", "update", "delete") if getattr(operations, name) is not None
    ]
    if manifest.plugin is not None:
        return "by plugin"
    if len(writes) == 3:
        return "two-way"
    if writes:
        return f"to Wix; {', '.join(writes)} outwards"
    return "to Wix only"


def _abilities(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.plugin is not None:
        yield "calls", f"made by the plugin {manifest.plugin}, which says itself what it can do"
    else:
        yield from _writes(manifest)
        yield "full scan", _scan(manifest)
        yield "looks", _looks(manifest.operations.poll)
        yield from _strategy(manifest)
        yield from describe_words(manifest)
        yield "lists its products", _catalogue(manifest)
    yield "webhooks", _webhooks(manifest)
    yield "sub-ratings", "yes" if manifest.capabilities.many_fields else "no"
    says = manifest.capabilities.says_verified
    yield "tells guests from people it knows", "yes" if says else "no"
    yield "scale", f"{manifest.scale.scale} ({manifest.scale.mapping})"
    budget = manifest.http.budget
    yield "pace", f"{budget.requests} calls in {budget.per_s} s, {budget.concurrency} at a time"
    if not manifest.outbound:
        yield "writing at first", "off: a person switches it on with the policy direction=both"


def _writes(manifest: Manifest) -> Iterator[tuple[str, str]]:
    operations = manifest.operations
    for name in ("create", "update", "delete"):
        yield name, "yes" if getattr(operations, name) is not None else "no"
    if operations.create_async is not None:
        wait, marks = (
            operations.create_async.wait_s,
            ", ".join(operations.create_async.correlate_on),
        )
        yield (
            "create",
            (
                f"yes, asynchronously: the record shows itself within {wait} s or never (known by"
                f" {marks})"
            ),
        )
    locks = [name for name in ("update", "delete") if getattr(manifest.fields, f"can_{name}")]
    if locks:
        yield "read-only records", f"a record says itself that we may not {' or '.join(locks)} it"
    if operations.delete is not None and operations.delete_means in ("trash", "hide"):
        yield (
            "delete",
            "moves to the trash" if operations.delete_means == "trash" else "hides the record",
        )


def _strategy(manifest: Manifest) -> Iterator[tuple[str, str]]:
    can = manifest.capabilities
    yield (
        "revisions",
        "yes" if can.has_revision else "no: every event is a hint and the record is read again",
    )
    yield (
        "update precondition",
        "yes" if can.update_precondition else "no: the record is read before it is written",
    )
    unique = "enforced" if can.is_unique else "not enforced: we look before we create"
    yield "one record for each person and entity", unique


def _scan(manifest: Manifest) -> str:
    operations = manifest.operations
    if operations.list is None:
        return "no"
    if manifest.lists_by_parent and operations.parents is None:
        return "one product at a time only"
    return "yes, product by product" if manifest.lists_by_parent else "yes"


def _catalogue(manifest: Manifest) -> str:
    if manifest.operations.catalogue is not None:
        return "yes: they are paired with those on Wix"
    why = manifest.operations.no_catalogue
    return "no, so they are paired from files" + (f": {why}" if why else "")


def _looks(poll: Poll | None) -> str:
    if poll is None:
        return "by nightly sweeps only"
    whole = (
        f"; whole every {poll.full_scan_every_s} s" if poll.full_scan_every_s is not None else ""
    )
    what = {"updated": "what changed", "created": "what is new"}
    seen = what[poll.incremental.semantics] if poll.incremental is not None else "the whole listing"
    return f"at {seen} every {poll.every_s} s{whole}"


def _webhooks(manifest: Manifest) -> str:
    webhook = manifest.webhook
    if webhook is None:
        return "none"
    kinds = ", ".join(dict.fromkeys(scheme.type for scheme in webhook.verify))
    trust = (
        "whole records, trusted" if webhook.trusts_payload else "hints: the record is read again"
    )
    return f"{kinds}; {trust}"


Limits = tuple[tuple[Callable[[Manifest], bool], str], ...]  # what must hold, and what follows

LIMITS_OF_WRITES: Limits = (
    (
        lambda manifest: manifest.operations.delete_means == "hide",
        "Deleting hides the record only: it stays in the system and can be shown again there.",
    ),
    (
        lambda manifest: manifest.operations.create_async is not None,
        "The system may drop a new rating silently; a person is told when it has not shown itself"
        " in time.",
    ),
)
LIMITS_OF_READING: Limits = (
    (
        lambda manifest: manifest.fields.email is None,
        "Records carry no e-mail address: who rated is not known, and their ratings are held"
        " (reason `no_email`).",
    ),
    (
        lambda manifest: manifest.operations.get is None and manifest.operations.list is not None,
        "One record has no call of its own: it is looked for in the listing, which costs a call"
        " for each page.",
    ),
    (
        lambda manifest: not _lists_all(manifest),
        "There is no listing of all records: what a webhook missed stays missed.",
    ),
)
WRITES: Mapping[Literal["create", "update", "delete"], str] = {
    "create": "A new Wix rating",
    "update": "A changed Wix rating",
    "delete": "A deleted Wix rating",
}
UNSUPPORTED = {
    "park": "is held and shown (reason `unsupported`)",
    "ignore": "is noted in the history and ends there",
}


def _limits(manifest: Manifest) -> Iterator[str]:
    is_declared = manifest.plugin is None  # what a plugin can do, it says itself
    if is_declared:
        yield from _unsupported_writes(manifest)
        yield from _those_that_hold(LIMITS_OF_WRITES, manifest)
    yield from _limits_of_webhooks(manifest)
    yield from manifest.limits
    if is_declared:
        yield from _those_that_hold(LIMITS_OF_READING, manifest)
        yield from _limit_of_pages(manifest)
        yield from _placeholders(manifest)


def _those_that_hold(limits: Limits, manifest: Manifest) -> Iterator[str]:
    return (sentence for holds, sentence in limits if holds(manifest))


def _lists_all(manifest: Manifest) -> bool:
    operations = manifest.operations
    if operations.list is None:
        return False
    return not manifest.lists_by_parent or operations.parents is not None


def _unsupported_writes(manifest: Manifest) -> Iterator[str]:
    for name, write in WRITES.items():
        if getattr(manifest.operations, name) is None:
            answer = manifest.operations.on_unsupported.get(name, "park")
            yield f"{write} cannot be carried over: it {UNSUPPORTED[answer]}."


def _limit_of_pages(manifest: Manifest) -> Iterator[str]:
    listing = manifest.operations.list
    if isinstance(listing, OperationSpec) and listing.pagination.max_pages < 1000:
        rows = listing.pagination.max_pages * listing.pagination.size
        yield (
            f"A full scan sees at most {rows} records; beyond that it stops with an error and"
            " deletes nothing."
        )


def _placeholders(manifest: Manifest) -> Iterator[str]:
    text = manifest.text
    if not (text.required_body or text.required_title):
        return
    both = (text.placeholder_body, text.placeholder_title)
    placeholders = ", ".join(repr(placeholder) for placeholder in both if placeholder)
    yield f"Ratings without a text are written with a placeholder: {placeholders}."


def _limits_of_webhooks(manifest: Manifest) -> Iterator[str]:
    webhook = manifest.webhook
    if webhook is None:
        yield "No webhooks: changes are seen by scans only."
        return
    changes = {rule.change for rule in webhook.events}
    if "parent_changed" in changes and "upsert" not in changes:
        yield (
            "Events tell of the product only, when its number of reviews changes; an edited rating"
            " is seen by scans."
        )
    if not changes & {"delete", "parent_changed"}:
        yield (
            "Deletes are not told: they are seen by two complete scans, or not at all if nothing"
            " can be listed."
        )
    if any(isinstance(scheme, JwtVerify | UrlTokenVerify) for scheme in webhook.verify):
        yield (
            "The webhook's proof is in its address or does not cover its body: keep addresses out"
            " of access logs."
        )
