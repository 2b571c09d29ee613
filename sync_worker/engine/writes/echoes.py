"""The stored deliveries that tell of a write of unknown outcome: its echo, and what it covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.values import Delivery, Intent, Operation, Record
from sync_worker.engine.history_lines import line_for_unseen_revision, lines_for_covered_edit
from sync_worker.engine.reading import Reading
from sync_worker.engine.view import View

MAX_GAPS = 20  # the newest ones; a robot may have made thousands


@dataclass(frozen=True, slots=True)
class Echoes:
    """What the inbox tells of one intent, where records have revisions."""

    view: View
    reading: Reading
    inbox: Inbox
    intent: Intent

    @property
    def first_revision(self) -> int:
        """The revision that our write made, if it landed."""
        # A create has no base, and revisions begin at 1.
        return (self.intent.base_revision or 0) + 1

    def told(self, remote_id: str, revision: int) -> tuple[Delivery | None, Record | None]:
        """The stored delivery for exactly this revision, and the record that it carries."""
        side = self.intent.slot.side
        delivery = self.inbox.evidence(self.view.run.site.id, side, remote_id, revision)
        if delivery is None:
            return None, None
        return delivery, self.reading.record_in(side, delivery.new.payload)

    def find(
        self, remote_id: str, is_ours: Callable[[Record], bool], last: int | None
    ) -> Record | None:
        """The record as our write made it, by the delivery that this caused.

        ``last``: the revision that a look has shown. Where our write names none, edits may have
        come before it: what it covered of them is noted.
        """
        first = self.first_revision
        revisions = range(first, first + 1)
        if last is not None and not self._names_revision:
            revisions = range(first, last + 1)[:MAX_GAPS]
        for revision in revisions:
            _, record = self.told(remote_id, revision)
            if record is not None and is_ours(record):
                self.note_covered(remote_id, range(first, revision))
                return record
        return None

    @property
    def _names_revision(self) -> bool:
        """Whether the remote refuses our write rather than cover an edit with it."""
        intent = self.intent
        if intent.operation is Operation.REPLY:
            return False
        can = self.view.capabilities[intent.slot.side]
        return can.update_precondition or intent.operation is not Operation.UPDATE

    def note_covered(self, remote_id: str, revisions: range) -> None:
        """Edits that our write may have covered, where it named no revision."""
        slot = self.intent.slot
        is_reply = self.intent.operation is Operation.REPLY
        # our update named its revision: the remote refuses it rather than cover an edit
        if self.view.capabilities[slot.side].update_precondition and not is_reply:
            return
        # Sent without a precondition: any edit in between may be covered.
        for revision in revisions[-MAX_GAPS:]:
            delivery, told = self.told(remote_id, revision)
            # no delivery told of it, or none with its values
            if delivery is None or told is None:
                line = line_for_unseen_revision(self.intent, remote_id, revision)
                self.view.note([line])
                continue
            shown = self.view.seen_as(slot, told).values
            values = {name: shown.get(name) for name in self.intent.targets}
            # Told of something else than the reply, or of ours.
            known = (None, *self.intent.befores.values(), *self.intent.targets.values())
            if is_reply and all(value in known for value in values.values()):
                continue
            self.view.note(lines_for_covered_edit(self.intent, remote_id, values, delivery.id))
