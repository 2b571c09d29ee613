"""Whether our own changes at a system come back as events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_worker.core.values import EntityRef, Record
from sync_worker.doctor.measured import Measured, yes_no
from sync_worker.doctor.watch import Watch


@dataclass(frozen=True, slots=True)
class Events:
    """Measures the events about test records.

    ``declared``: the changes that the manifest can hear; ``heard(ids)``: those that arrived about
    these ids; ``entity``: what the test records rate.
    """

    declared: frozenset[str]
    heard: Callable[[Sequence[str]], Sequence[str]]
    entity: EntityRef
    watch: Watch

    def of_create(self, record: Record) -> Measured:
        what = "our own create comes back as an event"
        declared = bool(self.declared & {"upsert", "parent_changed"})
        heard = self.watch.until(lambda: set(self._of(record)) & {"upsert", "parent_changed"})
        if heard is None and declared and not self._has_heard_any():
            seconds = self.watch.wait_seconds
            seen = f"nothing within {seconds:.0f} s; does the system reach the gateway?"
            return Measured(what, yes_no(declared), seen, is_known=False)
        return Measured(what, yes_no(declared), yes_no(heard is not None))

    def of_update(self, record: Record, before: int) -> Measured:
        """``before``: how many changes had come before the update."""
        declared = None
        # Systems that tell of a parent only may keep quiet about an edit: a scan finds it.
        if "parent_changed" not in self.declared:
            declared = yes_no("upsert" in self.declared)
        heard = self.watch.until(lambda: len(self._of(record)) > before)
        is_known = heard is not None or self._has_heard_any() or not declared
        return Measured(
            "an edit comes as an event", declared, yes_no(heard is not None), is_known=is_known
        )

    def of_delete(self, record: Record, before: int) -> Measured:
        """``before``: how many changes had come before the delete."""
        deletes = {"delete", "parent_changed"}
        declared = bool(self.declared & deletes)
        heard = self.watch.until(lambda: set(self._of(record)[before:]) & deletes)
        is_known = heard is not None or self._has_heard_any() or not declared
        return Measured(
            "a delete comes as an event",
            yes_no(declared),
            yes_no(heard is not None),
            is_known=is_known,
        )

    def count_when_quiet(self, record: Record) -> int:
        """How many changes have come, once those of our last write are in."""
        return self.watch.count_when_quiet(lambda: len(self._of(record)))

    def _of(self, record: Record) -> Sequence[str]:
        return self.heard([record.remote_id, self.entity.entity_id])

    def _has_heard_any(self) -> bool:
        return bool(self.heard([]))
