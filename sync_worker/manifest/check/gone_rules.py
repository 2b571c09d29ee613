"""Rules of a manifest that take for "gone" what does not say so. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import ErrorRule


@dataclass(frozen=True, slots=True)
class WeakRule:
    """A rule for "gone" that names no word of the system."""

    place: str
    advice: str


def weak_gone_rules(manifest: Manifest) -> list[WeakRule]:
    """Rules that take a status, or a refused permission, for "gone"."""
    return [WeakRule(place, _advice(rule)) for place, rule in _rules(manifest)]


def _rules(manifest: Manifest) -> Iterator[tuple[str, ErrorRule]]:
    for name, spec in manifest.operations.specs:
        for number, rule in enumerate(spec.errors):
            # The second look is meant, says whoever wrote it: nothing is left to name.
            is_weak = rule.is_bare_gone and not rule.second_look
            if rule.outcome == "gone" and (is_weak or _is_refusal(rule)):
                yield f"operations.{name}.errors[{number}]", rule


def check_gone_rules(manifest: Manifest) -> Iterator[Finding]:
    """Each such rule: one that a refused permission fits says nothing at all."""
    for place, rule in _rules(manifest):
        key = place.replace("[", ".").rstrip("]")
        if _is_refusal(rule):
            yield Finding(place, _advice(rule), place=key)
        else:
            yield Finding(place, advice=_advice(rule), place=key)


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
