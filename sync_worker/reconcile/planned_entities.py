"""Entities that a run would map by policy ``same_id``, before anybody has said yes to it.

They carry numbers of their own, the same in every process, so that what both sides show of one is
one finding. They become real as the finding is carried out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from sync_worker.core.errors import Held, Permanent
from sync_worker.core.ports.directory import Directory
from sync_worker.core.sweep_values import Finding, Listed
from sync_worker.core.values import Entity, EntityRef, RatingKey, Side, Site
from sync_worker.intake.entities import MappedEntities

# Above all numbers of the ledger, and within its 64 bits.
PLANNED = 1 << 62


def planned_entity(directory: Directory, site_id: int, wix: EntityRef, ext: EntityRef) -> Entity:
    """The entity that ``add_entity`` would make. Raises Permanent as it does."""
    is_taken = directory.entity(site_id, Side.WIX, wix) or directory.entity(
        site_id, Side.EXTERNAL, ext
    )
    if is_taken:
        raise Permanent(
            "one of the two entities is mapped to another already",
            reason="entity_mapped_elsewhere",
        )
    names = (wix.namespace, wix.group, wix.entity_id, ext.group, ext.entity_id)
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).digest()
    return Entity(PLANNED | (int.from_bytes(digest[:8]) % PLANNED), wix, ext)


def is_planned(key: RatingKey) -> bool:
    """Whether what it is about is still to be mapped."""
    return key.entity_id >= PLANNED


def entity_of(directory: Directory, site: Site, rows: Sequence[Listed]) -> Entity | None:
    """The entity that the rows of a finding name; ``None`` where policy no longer maps it.

    With the ledger's own directory it is mapped by this.
    """
    for row in rows:
        if row.record is None:
            continue
        try:
            found = MappedEntities(directory, site).entity_of(row.record.entity, row.side)
        except (Held, Permanent):
            return None
        if isinstance(found, Entity):
            return found
    return None


def with_mapped_entity(directory: Directory, site: Site, finding: Finding) -> Finding:
    """The finding, what it rates mapped for good; without a key where that cannot be."""
    if finding.key is None or not is_planned(finding.key):
        return finding
    entity = entity_of(directory, site, finding.rows)
    # The intake meets the same refusal, and holds the deliveries with its reason.
    key = None if entity is None else replace(finding.key, entity_id=entity.id)
    return replace(finding, key=key)
