"""Webhooks: from what a remote tells to the delivery in the inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Change, Draft, NewDelivery, Person, Side
from tests.simulation.world.chance import Chance
from tests.simulation.world.options import Options
from tests.twins.remote_values import RemoteEvent, record_payload


class Post:
    """Webhooks on their way: some get lost, some come twice, and none in order.

    ``inbox``: where they are stored. ``ring``: told what was stored. ``sources``: under which name
    those of each side arrive.
    """

    def __init__(
        self,
        options: Options,
        chance: Chance,
        capabilities: Mapping[Side, Capabilities],
        inbox: Any,
        ring: Callable[[Sequence[int]], None],
        sources: Mapping[Side, str],
        now: Callable[[], float],
    ) -> None:
        self._options, self._chance, self._capabilities = options, chance, capabilities
        self._inbox, self._ring = inbox, ring
        self.sources = dict(sources)
        # Those of accounts that have ended.
        self.earlier: list[tuple[Side, str]] = []
        # Until when a process may not know yet that an account has ended.
        self._shuts_at = 0.0
        self._now = now
        self.is_open: Callable[[], bool] = lambda: True
        self.is_installed = True
        self._last_id = 0
        self.webhooks: list[NewDelivery] = []
        self.sent: list[NewDelivery] = []
        self.dropped: set[tuple[str, int | None]] = set()

    def new_id(self, kind: str = "event") -> str:
        self._last_id += 1
        return f"{kind}-{self._last_id}"

    # -- what is told

    def tell(self, event: RemoteEvent) -> None:
        """A remote sends a webhook."""
        faults, is_outside = self._chance.faults, event.side is Side.EXTERNAL
        if self._chance.happens(faults.drop) or (
            is_outside and self._chance.happens(faults.drop_outside)
        ):
            self.dropped.add((event.record.remote_id, event.record.revision))
            return
        if self._options.parent_events and is_outside and not _changes_the_count(event):
            return
        if not is_outside and not self.is_installed:
            self.dropped.add((event.record.remote_id, event.record.revision))
            return
        self._send(self._as_delivery(event, self.new_id()))

    def tell_of_failure(self, draft: Draft) -> None:
        """An accepted create was not carried out."""
        told = {"entity": [draft.entity.entity_id, draft.entity.group], "email": draft.person.email}
        event_id = self.new_id()
        self.webhooks.append(
            NewDelivery(
                Side.EXTERNAL,
                self.sources[Side.EXTERNAL],
                event_id,
                Change.CREATE_FAILED,
                f"failed:{event_id}",
                told,
            )
        )

    def tell_of_contact(
        self, change: Change, person: Person, told: dict[str, Any], *, privacy: bool = False
    ) -> None:
        """Never dropped: nothing but the event tells of a privacy request."""
        self._send(
            NewDelivery(
                Side.WIX,
                self.sources[Side.WIX],
                self.new_id(),
                change,
                str(person.contact_id),
                told,
                privacy=privacy,
            )
        )

    def tell_of_app(self, change: Change, at: datetime) -> None:
        """Never dropped, and in any order."""
        instance = self.sources[Side.WIX]
        self._send(
            NewDelivery(Side.WIX, instance, self.new_id(), change, instance, {}, event_time=at)
        )

    def send_again(self, deliveries: Iterable[NewDelivery]) -> None:
        """Under new delivery ids, what was sent before."""
        self.webhooks += [replace(one, dedupe_id=self.new_id("again")) for one in deliveries]

    def _send(self, delivery: NewDelivery) -> None:
        self.webhooks.append(delivery)
        while self._chance.happens(self._chance.faults.duplicate):
            self.webhooks.append(delivery)

    def _as_delivery(self, event: RemoteEvent, event_id: str) -> NewDelivery:
        is_wix, is_delete = event.side is Side.WIX, event.change == "delete"
        source = self.sources[event.side]
        if self._options.parent_events and not is_wix:
            assert event.record.entity is not None
            parent = event.record.entity.entity_id
            return NewDelivery(event.side, source, event_id, Change.PARENT_CHANGED, parent, {})
        sequence = event.sequence if is_wix else None
        payload: dict[str, Any] = {}
        if not is_delete and self._capabilities[event.side].trusts_payload:
            payload["record"] = record_payload(replace(event.record, sequence=sequence))
        return NewDelivery(
            side=event.side,
            source=source,
            dedupe_id=event_id if is_wix or self._options.sends_ids else None,
            change=Change(event.change),
            remote_id=event.record.remote_id,
            payload=payload,
            revision=None if is_delete else event.record.revision,
            sequence=sequence,
            is_restore=event.is_created and is_wix,
            is_ours=event.by_us and is_wix,
            privacy=event.privacy,
        )

    # -- where it arrives

    def shut(self, until: float) -> None:
        """Outside nothing arrives any more, but for what a process takes that does not know yet."""
        self._shuts_at = until

    def move_to(self, source: str) -> None:
        """The system outside is told of another address."""
        self.earlier.append((Side.EXTERNAL, self.sources[Side.EXTERNAL]))
        self.sources[Side.EXTERNAL] = source

    def _lets_in(self, delivery: NewDelivery) -> bool:
        if delivery.side is Side.WIX:
            return True
        is_at_an_end = delivery.source != self.sources[Side.EXTERNAL] or not self.is_open()
        is_late = self._now() < self._shuts_at
        return not is_at_an_end or (is_late and self._chance.random.random() < 0.5)

    def names(self) -> list[tuple[Side, str]]:
        """All under which deliveries of the site ever arrived."""
        return [*self.sources.items(), *self.earlier]

    # -- what arrives

    def deliver_some(self, random: Random) -> None:
        self.deliver(random.randrange(len(self.webhooks)))

    def deliver(self, index: int) -> None:
        delivery = self.webhooks.pop(index)
        if not self._lets_in(delivery):
            self.dropped.add((delivery.remote_id, delivery.revision))
            return
        self.sent.append(delivery)
        stored = self._inbox.store(delivery)
        if not stored.is_duplicate and not self._chance.happens(self._chance.faults.broker_loss):
            self._ring([stored.inbox_id])

    def hint(self, side: Side, change: Change, remote_id: str) -> None:
        """Have one record looked at again."""
        hint = NewDelivery(side, self.sources[side], self.new_id("hint"), change, remote_id, {})
        stored = self._inbox.store(hint)
        self._ring(self._inbox.release_held(None, inbox_ids=[stored.inbox_id]))


def _changes_the_count(event: RemoteEvent) -> bool:
    return event.is_created or event.change == "delete"
