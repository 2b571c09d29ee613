"""What can be known of a manifest without its system: its samples, its scales, what is not set yet.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from sync_worker.core.errors import Permanent
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import NewDelivery
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_details, read_record, read_texts
from sync_worker.manifest.schema.calls import ErrorRule
from sync_worker.manifest.schema.examples import DeliveryExample, RecordExample
from sync_worker.manifest.schema.record import STATES
from sync_worker.manifest.schema.verify import BasicVerify, JwtVerify, Verify

# webhook_gateway.external.read_deliveries, handed in: the gateway is above this layer
ReadDeliveries = Callable[[Manifest, bytes, Mapping[str, str], Mapping[str, str], float], Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``wrong`` says what is wrong and is empty if nothing is.

    ``advice``: it works, and should be changed.
    """

    what: str
    wrong: str = ""
    advice: str = ""

    @property
    def is_good(self) -> bool:
        return not self.wrong


@dataclass(frozen=True, slots=True)
class WeakRule:
    """A rule for "gone" that names no word of the system."""

    place: str
    advice: str


def weak_gone_rules(manifest: Manifest) -> list[WeakRule]:
    """Rules that take a status, or a refused permission, for "gone"."""
    return [
        WeakRule(f"operations.{name}.errors[{number}]", _advice(rule))
        for name, spec in manifest.operations.specs
        for number, rule in enumerate(spec.errors)
        if rule.outcome == "gone" and (rule.is_bare_gone or _is_refusal(rule))
    ]


def _is_refusal(rule: ErrorRule) -> bool:
    return bool({401, 403} & set(rule.status))


def _advice(rule: ErrorRule) -> str:
    if _is_refusal(rule):
        return (
            "401 and 403 never say that a record is gone: a permission may have been withdrawn."
            " Where the system says nothing else, read the record by a filter (get with items_path)"
        )
    return (
        f"{', '.join(map(str, rule.status))} alone does not say that a record is gone: a wrong"
        " address and an outage say the same. Name the system's own word (path, equals). Until"
        " then it counts at a second look a minute later, while another record can be read"
    )


def check_manifest(
    manifest: Manifest, read: ReadDeliveries, wix: Scale, now: float
) -> list[Finding]:
    """Everything that holds or not, example by example.

    ``wix``: the scale of Wix; ``now``: seconds since 1970.
    """
    findings = [Finding("schema, paths and trees")]
    findings += [Finding(rule.place, advice=rule.advice) for rule in weak_gone_rules(manifest)]
    findings += _scales(manifest, wix)
    findings += [
        Finding(f"delivery: {example.name}", _delivery_wrong(manifest, example, read, now))
        for example in manifest.examples.deliveries
    ]
    findings += [
        Finding(f"record: {example.name}", _record_wrong(manifest, example))
        for example in manifest.examples.records
    ]
    return findings


def _scales(manifest: Manifest, wix: Scale) -> Iterator[Finding]:
    sections = {"scale": manifest.scale}
    if manifest.attribute_scale is not None:
        sections["attribute_scale"] = manifest.attribute_scale
    for name, section in sections.items():
        try:
            violations = FieldMap(
                "overall", "value", wix, section.scale, section.mapping
            ).violations()
        except ValueError as error:
            violations = [str(error)]
        wrong = violations[0] if violations else ""
        yield Finding(f"{name} {section.scale} converts to Wix and back", wrong)


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
        reason = getattr(found, "reason", "")
        because = f" ({reason})" if reason else ""
        return f"expected {len(example.expect)} deliveries, is {name}{because}"
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
        **details,
    }
    for name in sorted(example.expect.model_fields_set):
        wanted = getattr(example.expect, name)
        wanted = STATES[wanted] if name == "state" and wanted is not None else wanted
        if got[name] != wanted:
            return f"{name}: expected {wanted!s}, is {got[name]!s}"
    return ""


def failures(findings: Sequence[Finding]) -> int:
    return sum(not finding.is_good for finding in findings)
