"""A site: its mapped entities, its policies and its rating keys."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from sync_worker.core.scale import FieldMap
from sync_worker.core.values.records import EntityRef, Side


@dataclass(frozen=True, slots=True)
class Entity:
    """A mapped rated thing under both of its names."""

    id: int
    wix: EntityRef
    external: EntityRef

    def on(self, side: Side) -> EntityRef:
        return self.wix if side is Side.WIX else self.external


@dataclass(frozen=True, slots=True)
class RatingKey:
    """One person's opinion of one entity on one site."""

    site_id: int
    entity_id: int
    contact_id: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Decisions that a site's owner may change; the defaults are design.md section 5."""

    unknown_contact: str = "hold"  # hold | create | skip
    wix_anonymous: str = "hold"  # hold | skip
    unknown_entity: str = "hold"  # hold | same_id | skip
    first_difference: str = "wix"  # wix | external | hold
    conflict: str = "latest"  # latest | wix | external
    edit_or_delete: str = "edit"  # edit | delete
    direction: str = "both"  # both | to_wix | to_external
    deletes: str = "propagate"  # propagate | ignore
    same_id_namespace: str = "reviews"  # where `same_id` looks for an external entity on Wix
    same_id_group: str = "stores"

    CHOICES = MappingProxyType(
        {
            "unknown_contact": ("hold", "create", "skip"),
            "wix_anonymous": ("hold", "skip"),
            "unknown_entity": ("hold", "same_id", "skip"),
            "first_difference": ("wix", "external", "hold"),
            "conflict": ("latest", "wix", "external"),
            "edit_or_delete": ("edit", "delete"),
            "direction": ("both", "to_wix", "to_external"),
            "deletes": ("propagate", "ignore"),
        }
    )

    def may_write(self, side: Side) -> bool:
        """Whether our writes may go to ``side``."""
        return self.direction == "both" or self.direction == f"to_{side}"


@dataclass(frozen=True, slots=True)
class Site:
    """One Wix app instance, its connector, policies and mapped fields."""

    id: int
    instance_id: str
    connector: str
    policy: Policy
    fields: tuple[FieldMap, ...]
    state: str = "active"  # active | recovery | paused | removed

    @property
    def is_at_work(self) -> bool:
        """Whether deliveries are processed; in recovery nothing is deleted (rule R11)."""
        return self.state in ("active", "recovery")
