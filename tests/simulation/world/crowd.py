"""The people of a world: who is who after merges, and what they do on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sync_worker.core.errors import Duplicate, Gone
from sync_worker.core.scale import Scale
from sync_worker.core.values import Change, EntityRef, Person, Record, RecordState, Side
from sync_worker.core.values.texts import REPLY
from tests.simulation.world.chance import Chance
from tests.simulation.world.options import PERCENT, STARS, Options
from tests.simulation.world.post import Post
from tests.simulation.world.talk import BROKEN, SENTENCES, some_texts
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote

# As large, small, negative and long as a door lets in: none is on a scale.
ABSURD = tuple(map(Decimal, ("1e999", "-1e999", "1e-999", "4." + "3" * 500)))
BURST = 8  # more than one look serves for, see ports.inbox.CROWD


class Crowd:
    """Some of them turn out to be one, and some ask to be forgotten.

    ``entities``: what they rate, as each side names it. ``contacts``: the address book of Wix.
    """

    def __init__(
        self,
        options: Options,
        chance: Chance,
        persons: Sequence[Person],
        entities: Sequence[tuple[EntityRef, EntityRef]],
        remotes: Mapping[Side, MemoryRemote],
        contacts: MemoryPeople,
        post: Post,
    ) -> None:
        self._options, self._chance = options, chance
        self._persons, self._entities = persons, entities
        self._remotes, self._contacts, self._post = remotes, contacts, post
        self.merged: list[tuple[Person, Person]] = []
        self.erased: list[Person] = []
        # By address: how long the journal outside was when its person asked to be forgotten.
        self.asked_at: dict[str | None, int] = {}
        self.strangers = [one for one in persons if str(one.contact_id) not in contacts.contacts]
        self._said, self._shown = 0, 0

    # -- who is who

    def lives_as(self, person: Person) -> Person:
        """After merges: the one who lives on."""
        targets = {str(source.contact_id): target for source, target in self.merged}
        while str(person.contact_id) in targets:
            person = targets[str(person.contact_id)]
        return person

    def aliases(self, person: Person) -> list[Person]:
        """Everybody who is the same person by now."""
        return [one for one in self._persons if self.lives_as(one) == self.lives_as(person)]

    def living(self) -> list[Person]:
        """Each person once, however many contacts were merged into one; without those who asked to
        be forgotten.
        """
        gone = [*self.erased, *self.strangers]
        there = [one for one in self._persons if one not in gone]
        return [one for one in there if self.lives_as(one) == one]

    def ratings_of(self, side: Side, entity: EntityRef, person: Person) -> list[Record]:
        return [
            record for one in self.aliases(person) for record in self._remotes[side].of(entity, one)
        ]

    # -- people who are one, and people who left

    def merge(self, source: Person, target: Person) -> None:
        """The owner merges two contacts: Wix tells of the merge and of the deletion that it
        caused.
        """
        self._contacts.merges(str(source.contact_id), str(target.contact_id))
        self.merged.append((source, target))
        told = {"sources": [source.contact_id], "target": target.contact_id}
        self._post.tell_of_contact(Change.CONTACT_MERGED, target, told)
        self._post.tell_of_contact(Change.CONTACT_DELETED, source, {"originatedFrom": "merge"})

    def erase(self, person: Person) -> None:
        """A person asks to be forgotten: Wix deletes the ratings and the contact, and tells of
        both.
        """
        self.erased += self.aliases(person)
        journal = self._remotes[Side.EXTERNAL].journal
        self.asked_at |= {one.email: len(journal) for one in self.aliases(person)}
        for wix, _ in self._entities:
            for record in self.ratings_of(Side.WIX, wix, person):
                self._remotes[Side.WIX].visitor_deletes(record.remote_id, privacy=True)
        del self._contacts.contacts[str(person.contact_id)]
        self._post.tell_of_contact(Change.CONTACT_DELETED, person, {}, privacy=True)

    def introduce(self, person: Person) -> None:
        """Wix comes to know somebody, who may have rated outside before."""
        self.strangers.remove(person)
        self._contacts.add(str(person.contact_id), person.email)
        self._post.tell_of_contact(Change.CONTACT_CHANGED, person, {"email": person.email})

    def introduce_all(self) -> None:
        for person in list(self.strangers):
            self.introduce(person)

    # -- what they do

    def act(self) -> None:
        """One person does one thing on one side, or two turn out to be one, or somebody leaves."""
        random, living = self._chance.random, self.living()
        if len(living) > 1 and self._chance.happens(self._options.merges):
            self.merge(*random.sample(living, 2))
            return
        if len(living) > 1 and self._chance.happens(self._options.erasures):
            self.erase(random.choice(living))
            return
        if self.strangers and self._chance.happens(0.15):
            self.introduce(random.choice(self.strangers))
            return
        if self._chance.happens(self._options.moves):
            self._moves_a_record()
            return
        if self._chance.happens(self._options.owner_decides):
            self._owner_decides()
            return
        if self._chance.happens(self._options.votes):
            self._somebody_votes()
            return
        if self._chance.happens(self._options.replied):
            self._owner_answers()
            return
        if self._chance.happens(self._options.pictured):
            self._somebody_shows()
            return
        side = random.choice(list(Side))
        entity = random.choice(self._entities)[0 if side is Side.WIX else 1]
        person = random.choice([one for one in self._persons if one not in self.erased])
        # On Wix nobody rates whom it does not know.
        if person in self.strangers:
            side, entity = Side.EXTERNAL, random.choice(self._entities)[1]
        if side is Side.WIX:
            person = self.lives_as(person)
        for _ in range(BURST if self._chance.happens(self._options.bursts) else 1):
            try:
                self._rates_or_changes(side, entity, person)
            except (Duplicate, Gone):
                return

    def _rates_or_changes(self, side: Side, entity: EntityRef, person: Person) -> None:
        random, remote = self._chance.random, self._remotes[side]
        is_wix = side is Side.WIX
        mine = self.ratings_of(side, entity, person) if is_wix else remote.of(entity, person)
        field_map = random.choice(self._options.fields)
        name = field_map.attribute if is_wix else field_map.external_field
        mine = [one for one in mine if remote.capabilities.many_fields or name in one.values]
        record = random.choice(mine) if len(mine) > 1 else next(iter(mine), None)
        value = self._some_value(field_map.wix if is_wix else field_map.external)
        if not is_wix and self._chance.happens(self._options.absurd):
            value = random.choice(ABSURD)
        texts = self._some_texts(remote)
        if record is not None and not is_wix and self._chance.happens(self._options.unrated):
            remote.visitor_rates(entity, person, {})
        elif record is None or self._rates_again(remote):
            self._rates(remote, entity, person, {name: value}, texts)
        elif texts and random.random() < 0.5:
            remote.visitor_changes(record.remote_id, {}, texts)
        else:
            self._changes(remote, record, {name: value}, texts)

    def _owner_decides(self) -> None:
        """The owner of the site publishes or rejects a review on Wix."""
        random, wix = self._chance.random, self._remotes[Side.WIX]
        if not wix.records:
            return
        record = wix.records[random.choice(sorted(wix.records))]
        states = [RecordState.PUBLISHED, RecordState.REJECTED]
        state = random.choice([one for one in states if one is not record.state])
        wix.moderator_sets(record.remote_id, state)

    def _somebody_votes(self) -> None:
        wix = self._remotes[Side.WIX]
        if wix.records:
            wix.visitor_votes(self._chance.random.choice(sorted(wix.records)))

    def _owner_answers(self) -> None:
        """On either side, or takes the answer away."""
        random, remote = self._chance.random, self._remotes[self._chance.random.choice(list(Side))]
        if not remote.records:
            return
        self._said += 1
        text = some_texts(random, {REPLY: remote.capabilities.words[REPLY]}, self._said)[REPLY]
        remote.owner_replies(random.choice(sorted(remote.records)), text)

    def _somebody_shows(self) -> None:
        """Other pictures are put to a review outside."""
        outside = self._remotes[Side.EXTERNAL]
        theirs = [name for name, record in sorted(outside.records.items()) if record.media]
        if theirs:
            outside.visitor_shows(self._chance.random.choice(theirs), self._some_pictures())

    def _some_pictures(self) -> tuple[str, ...]:
        self._shown += 1
        return (f"https://shop.example/{self._shown}.jpg",)

    def _moves_a_record(self) -> None:
        """The owner of the shop gives a record another address or another product."""
        random, remote = self._chance.random, self._remotes[Side.EXTERNAL]
        there = [one for one in self._persons if one not in self.erased]
        if not remote.records:
            return
        remote_id = random.choice(sorted(remote.records))
        try:
            if random.random() < 0.5 and len(self._entities) > 1:
                remote.owner_moves(remote_id, entity=random.choice(self._entities)[1])
            else:
                remote.owner_moves(remote_id, person=random.choice(there))
        except Duplicate:
            return

    def _rates_again(self, remote: MemoryRemote) -> bool:
        return not remote.capabilities.is_unique and self._chance.happens(self._options.several)

    def _some_texts(self, remote: MemoryRemote) -> dict[str, str]:
        words = {**remote.capabilities.words}
        words.pop(REPLY, None)
        if not words or not self._chance.happens(self._options.said):
            return {}
        self._said += 1
        is_broken = self._chance.happens(self._options.absurd)
        sentences = BROKEN if is_broken else SENTENCES
        return some_texts(self._chance.random, words, self._said, sentences)

    def _rates(
        self,
        remote: MemoryRemote,
        entity: EntityRef,
        person: Person,
        values: dict[str, Decimal],
        texts: Mapping[str, str],
    ) -> None:
        if remote.capabilities.many_fields:
            values.setdefault("value", self._some_value(STARS))
        media: tuple[str, ...] = ()
        if self._options.pictured and remote.side is Side.EXTERNAL:
            media = self._some_pictures()
        remote.visitor_rates(entity, person, values, texts=texts, media=media)

    def _changes(
        self,
        remote: MemoryRemote,
        record: Record,
        values: dict[str, Decimal],
        texts: Mapping[str, str],
    ) -> None:
        happens, is_wix = self._chance.happens, remote.side is Side.WIX
        # What is thrown away before anybody has seen it leaves its source alone.
        waits = not is_wix and not record.is_visible
        if happens(0.25) and not (waits and self._options.moderators_decide_later):
            remote.visitor_deletes(record.remote_id, privacy=is_wix and happens(0.1))
        elif self._options.moderation and not is_wix and happens(0.3):
            state = RecordState.PENDING if record.is_visible else RecordState.PUBLISHED
            remote.moderator_sets(record.remote_id, state)
        else:
            remote.visitor_changes(record.remote_id, values, texts)

    def _some_value(self, scale: Scale) -> Decimal:
        if scale == PERCENT and not self._options.fine_edits:
            return Decimal(self._chance.random.randrange(20, 101, 20))
        return scale.level(self._chance.random.randrange(scale.levels))
