"""What is rated: from an entity as one side names it to the entity that both sides share."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Held, Permanent
from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import (
    PRODUCTS,
    AutoMap,
    Entity,
    EntityRef,
    InboxState,
    Side,
    Site,
    UnknownEntity,
    WixKind,
)

ENTITY_SKIPPED = Closing(InboxState.DONE, "entity_skipped")


@dataclass(frozen=True, slots=True)
class MappedEntities:
    """The mapped entities of one site, and its policy for all others."""

    directory: Directory
    site: Site

    def entity_of(self, ref: EntityRef | None, side: Side) -> Entity | Closing:
        """The mapped entity, or how a delivery for it ends. Raises Held, Permanent."""
        if ref is None:
            raise Held("no_entity", "the record does not say what it rates")
        mapped = self.find(ref, side)
        if mapped is not None:
            return mapped
        if self.waits_for_catalogue(ref, side):
            raise self.hold_until_mapped(ref, side)
        match self.site.policy.unknown_entity:
            case "skip":
                return ENTITY_SKIPPED
            case "same_id":
                # Both sides use one id: the first rating maps the entity.
                wix, external = self._same_id_pair(ref, side)
                self._refuse_second_map(wix, external)
                return self.directory.add_entity(self.site.id, wix, external)
            case _:
                raise self.hold_until_mapped(ref, side)

    def _refuse_second_map(self, wix: EntityRef, external: EntityRef) -> None:
        """Wix Reviews names a product by its id alone: it has one map, whatever its namespace."""
        if self.site.wix_api is WixKind.RATINGS:
            return
        mapped = self.find(EntityRef(wix.entity_id, namespace=PRODUCTS), Side.WIX)
        if mapped is not None and mapped.external != external:
            raise Permanent(
                "the product of this id is mapped to another already",
                reason="entity_mapped_elsewhere",
            )

    def find(self, ref: EntityRef, side: Side) -> Entity | None:
        """The mapped entity, if there is one."""
        return self.directory.entity(self.site.id, side, ref)

    def waits_for_catalogue(self, ref: EntityRef, side: Side) -> bool:
        """Whether both catalogues are to be asked before the policy for unknown things counts."""
        policy = self.site.policy
        is_held_anyway = policy.unknown_entity is UnknownEntity.HOLD
        if policy.auto_map is AutoMap.OFF or is_held_anyway:
            return False
        return not self.directory.is_catalogue_asked(self.site.id, entity_hold_key(side, ref))

    def hold_until_mapped(self, ref: EntityRef, side: Side) -> Held:
        """The error that holds a delivery until the entity is mapped, or policy counts for it."""
        return Held(
            "unknown_entity",
            hold_key=entity_hold_key(side, ref),
            has_arrived=lambda: self._may_go_on(ref, side),
        )

    def _may_go_on(self, ref: EntityRef, side: Side) -> bool:
        if self.find(ref, side) is not None:
            return True
        is_for_policy = self.site.policy.unknown_entity is not UnknownEntity.HOLD
        return is_for_policy and not self.waits_for_catalogue(ref, side)

    def _same_id_pair(self, ref: EntityRef, side: Side) -> tuple[EntityRef, EntityRef]:
        """The entity's names on Wix and outside, where both sides use one id."""
        # the Wix id names it outside, too
        if side is Side.WIX:
            return self.site.name_in_maps(ref), EntityRef(ref.entity_id)
        # Wix asks for a group and a namespace, which the external id does not tell.
        policy = self.site.policy
        return EntityRef(ref.entity_id, policy.same_id_group, policy.same_id_namespace), ref
