"""Everything that can be known of a manifest without its system. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.manifest.check.event_keys import check_event_keys
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.check.gone_rules import check_gone_rules
from sync_worker.manifest.check.leaves import check_leaves
from sync_worker.manifest.check.samples import ReadDeliveries, check_samples
from sync_worker.manifest.check.states import check_states
from sync_worker.manifest.check.texts import check_texts
from sync_worker.manifest.check.writes import check_writes
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import OperationSpec


def check_manifest(
    manifest: Manifest, read: ReadDeliveries, wix: Scale, now: float
) -> list[Finding]:
    """Everything that holds or not, example by example.

    ``wix``: the scale of Wix; ``now``: seconds since 1970.
    """
    findings = [Finding("schema, paths and trees")]
    findings += check_gone_rules(manifest)
    findings += check_leaves(manifest)
    findings += check_writes(manifest)
    findings += check_event_keys(manifest)
    findings += check_states(manifest)
    findings += check_texts(manifest)
    findings += _parameters(manifest)
    findings += _scales(manifest, wix)
    findings += check_samples(manifest, read, now)
    return findings


def _parameters(manifest: Manifest) -> Iterator[Finding]:
    """A listing of what changed sends its time beside the place of the page, not over it."""
    listing, poll = manifest.operations.list, manifest.operations.poll
    if not isinstance(listing, OperationSpec) or poll is None or poll.incremental is None:
        return
    if listing.pagination.kind == "none":
        return
    taken = {
        listing.pagination.page_size_param: "size_param",
        listing.pagination.place_param: "param",
    }
    for name in poll.incremental.names:
        if name in taken:
            place = "operations.poll.incremental.param"
            key = f"operations.list.pagination.{taken[name]}"
            yield Finding(
                place, f"`{name}` is {key}, too; one request cannot carry both", "", place
            )


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
        yield Finding(f"{name} {section.scale} converts to Wix and back", wrong, place=name)
