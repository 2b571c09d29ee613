"""What people did, for the oracles: nothing in the ledger is asked to tell the truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from sync_worker.core.values import EntityRef, Person, Record, Side, Site
from tests.simulation.world.crowd import Crowd
from tests.simulation.world.options import Options
from tests.twins.memory_remote import MemoryRemote
from tests.twins.remote_values import JournalEntry, RemoteEvent

# A person's rating of a thing: the number of the entity, and the contact.
Key = tuple[int, str]


class ActLog:
    """Every act on both sides in its order, and which deletes met both sides in step."""

    def __init__(
        self,
        options: Options,
        persons: Sequence[Person],
        entities: Sequence[tuple[EntityRef, EntityRef]],
        remotes: Mapping[Side, MemoryRemote],
        crowd: Crowd,
        ledger: Any,
        site: Site,
    ) -> None:
        self._options, self._persons, self._entities = options, persons, entities
        self._remotes, self._crowd, self._ledger, self._site = remotes, crowd, ledger, site
        self._count = 0
        self.acts: list[tuple[Side, JournalEntry]] = []
        # The number of each key's last act.
        self.last_act: dict[Key, int] = {}
        # By remote id: the key, the number of the act, the attributes that went, and how many
        # lines the history had.
        self.deleted_in_step: dict[Side, dict[str, tuple[Key, int, Set[str], int]]] = {
            side: {} for side in Side
        }

    def note(self, event: RemoteEvent) -> None:
        """Called before anybody else hears of the act."""
        self.acts.append((event.side, self._remotes[event.side].journal[-1]))
        self._count += 1
        record, number = event.record, self._number_of(event.record)
        person = self._person_of(event.side, record)
        # Given to somebody or something that the world does not know.
        if number is None or person is None:
            return
        key = (number, str(person.contact_id))
        self.last_act[key] = self._count
        if event.change != "delete":
            return
        # Without revisions nobody can tell who is in step.
        if not self._remotes[Side.EXTERNAL].capabilities.has_revision:
            return
        there = self._entities[number][event.side is Side.WIX]
        partners = self._crowd.ratings_of(event.side.other, there, person)
        if self._ledger.was_in_step(self._site.id, event.side, record, partners):
            attributes = self.attributes_of(record)
            lines = len(self._ledger.history_entries())
            deleted = (key, self._count, attributes, lines)
            self.deleted_in_step[event.side][record.remote_id] = deleted

    def note_decision(self, key: Key) -> int:
        """Somebody decides about a rating: an act of its own. How many of people there were."""
        self._count += 1
        self.last_act[key] = self._count
        return len(self.acts)

    def attributes_of(self, record: Record) -> Set[str]:
        """The mapped ones that a record of either side carries."""
        return {
            one.attribute
            for one in self._options.fields
            if record.values.keys() & {one.attribute, one.external_field}
        }

    def _number_of(self, record: Record) -> int | None:
        numbers = (i for i, pair in enumerate(self._entities) if record.entity in pair)
        return next(numbers, None)

    def _person_of(self, side: Side, record: Record) -> Person | None:
        by = record.person
        if side is Side.EXTERNAL:
            return next((one for one in self._persons if one.email == by.email), None)
        return next((one for one in self._persons if one.contact_id == by.contact_id), None)
