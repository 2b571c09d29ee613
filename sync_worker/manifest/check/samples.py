"""The samples of a manifest, each beside what it must come to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from sync_worker.core.errors import Permanent
from sync_worker.core.nearest import nearest
from sync_worker.core.values import NewDelivery, Operation
from sync_worker.manifest.catalogue_reader import read_item
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_details, read_record, read_texts
from sync_worker.manifest.schema.calls import Condition
from sync_worker.manifest.schema.examples import CatalogueExample, DeliveryExample, RecordExample
from sync_worker.manifest.schema.record import STATES
from sync_worker.manifest.schema.verify import BasicVerify, JwtVerify, Verify

# webhook_gateway.external.read_deliveries, handed in: the gateway is above this layer
ReadDeliveries = Callable[[Manifest, bytes, Mapping[str, str], Mapping[str, str], float], Any]


def check_samples(manifest: Manifest, read: ReadDeliveries, now: float) -> Iterator[Finding]:
    """Every sample; ``now``: seconds since 1970."""
    for number, example in enumerate(manifest.examples.deliveries):
        wrong = _delivery_wrong(manifest, example, read, now)
        place = f"examples.deliveries.{number}"
        yield Finding(f"delivery: {example.name}", wrong, place=place)
    for number, sample in enumerate(manifest.examples.records):
        place = f"examples.records.{number}"
        yield Finding(f"record: {sample.name}", _record_wrong(manifest, sample), place=place)
    for number, row in enumerate(manifest.examples.catalogue):
        place = f"examples.catalogue.{number}"
        yield Finding(f"catalogue: {row.name}", _row_wrong(manifest, row), place=place)


def _delivery_wrong(
    manifest: Manifest, example: DeliveryExample, read: ReadDeliveries, now: float
) -> str:
    at = now if example.at is None else float(example.at)
    found = read(
        signed_by(manifest, example.example_secret),
        example.body.encode(),
        example.headers,
        example.query,
        at,
    )
    name = _name_of(found)
    if isinstance(example.expect, str):
        return "" if name == example.expect else f"expected {example.expect}, is {name}"
    if name != "deliveries":
        return f"expected {len(example.expect)} deliveries, is {name}{_because(manifest, found)}"
    got = [(delivery.change, delivery.remote_id) for delivery in found]
    wanted = [(result.change, result.remote_id) for result in example.expect]
    if got != wanted:
        return f"expected {wanted}, is {got}"
    sequences = [
        (a.sequence, b.sequence)
        for a, b in zip(example.expect, found, strict=True)
        if a.sequence is not None
    ]
    return next((f"expected sequence {a}, is {b}" for a, b in sequences if a != b), "")


def _because(manifest: Manifest, found: Any) -> str:
    """Why a delivery came to what it came to, as far as the gateway says."""
    tell = {"unknown_event_type": unmatched_event, "ignored_event_type": ignored_event}
    if why := tell.get(getattr(found, "reason", "")):
        return f": {why(manifest, getattr(found, 'name', None))}"
    words, reason = getattr(found, "words", ""), getattr(found, "reason", "")
    if words:
        return f": {words}"
    return f" ({reason})" if reason else ""


def unmatched_event(manifest: Manifest, name: object) -> str:
    """Words for an event that no rule matches; ``name``: as it came, ``None`` if there was none."""
    known = [rule.match for rule in manifest.event_rules]
    listed = ", ".join(dict.fromkeys(known)) or "none"
    if name in (None, ""):
        where = manifest.webhook.event if manifest.webhook is not None else None
        places = where.model_dump(include={"path", "header", "query", "claim"}) if where else {}
        place = next((f"{key}: {at}" for key, at in places.items() if at is not None), "")
        return f"webhook.event: no name stands at {place}; known are {listed}"
    meant = nearest(str(name), known)
    hint = f"; did you mean {meant!r}?" if meant else ""
    return f"no rule of webhook.events matches {str(name)[:80]!r}; known are {listed}{hint}"


def ignored_event(manifest: Manifest, name: object) -> str:
    """Words for an event that its rules pass over."""
    rules = [rule for rule in manifest.event_rules if rule.match == name]
    asked = [_condition(rule.when) for rule in rules if rule.when is not None]
    if asked:
        return f"{name!r} counts only when {' or '.join(asked)}, and here that is not so"
    return f"webhook.events says `change: ignore` of {name!r}"


def _condition(when: Any) -> str:
    if not isinstance(when, Condition):
        return f"`{when}`"
    place = f"the header {when.header}" if when.header is not None else f"`{when.path}`"
    return f"{place} is {when.equals}"


def _name_of(found: Any) -> str:
    """The word of an example for what the gateway made of it."""
    if isinstance(found, list) and all(isinstance(item, NewDelivery) for item in found):
        return "deliveries"
    return {"Greeted": "handshake"}.get(type(found).__name__, type(found).__name__.lower())


def signed_by(manifest: Manifest, secret: str) -> Manifest:
    """The same manifest, with one secret for all of its webhook's."""
    webhook = manifest.webhook
    if webhook is None:
        return manifest
    schemes = tuple(_with_secret(scheme, SecretStr(secret)) for scheme in webhook.verify)
    return manifest.model_copy(update={"webhook": webhook.model_copy(update={"verify": schemes})})


def _with_secret(scheme: Verify, secret: SecretStr) -> Verify:
    if isinstance(scheme, JwtVerify):
        return scheme.model_copy(update={"key": secret, "previous_key": None})
    if isinstance(scheme, BasicVerify):
        return scheme.model_copy(update={"password": secret})
    return scheme.model_copy(update={"secret": secret, "previous_secret": None})


def _row_wrong(manifest: Manifest, example: CatalogueExample) -> str:
    spec = manifest.operations.catalogue
    if spec is None:
        return "there is no operations.catalogue to read it by"
    try:
        item = read_item(spec, example.row)
    except Permanent as error:
        return "" if example.expect == "malformed" else error.message
    if isinstance(example.expect, str):
        return "expected malformed, but it can be read"
    for name in sorted(example.expect.model_fields_set):
        wanted, got = getattr(example.expect, name) or "", getattr(item, name)
        if got != wanted:
            return f"{name}: expected {wanted!r}, is {got!r}"
    return item.problem


def _record_wrong(manifest: Manifest, example: RecordExample) -> str:
    context = {"conn": manifest.conn, **example.context}
    try:
        record = read_record(manifest, example.resource, context)
        texts = read_texts(manifest, example.resource, context)
        details = read_details(manifest, example.resource, context)
    except Permanent as error:
        return "" if example.expect == "malformed" else error.message
    if isinstance(example.expect, str):
        return "expected malformed, but it can be read"
    values = dict(record.values)
    got: dict[str, Any] = {
        "value": values.pop("value", None),
        "remote_id": record.remote_id,
        "attributes": values,
        "entity": record.entity.entity_id if record.entity else None,
        "email": record.person.email,
        "author": record.person.name,
        "state": record.state,
        "revision": record.revision,
        "title": texts.title,
        "body": texts.body,
        "media": record.media,
        "can_update": Operation.UPDATE not in record.locked,
        "can_delete": Operation.DELETE not in record.locked,
        **details,
    }
    for name in sorted(example.expect.model_fields_set):
        wanted = getattr(example.expect, name)
        wanted = STATES[wanted] if name == "state" and wanted is not None else wanted
        if got[name] != wanted:
            return f"{name}: expected {wanted!s}, is {got[name]!s}"
    return ""
