"""One site of a world: what there is on both sides, who rates there, and its webhooks.

All sites of a world name their people, things and records alike, so that whatever does not ask
whose they are finds those of another site.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sync_worker.core.ports.remote import Capabilities, Connection
from sync_worker.core.values import Contact, EntityRef, Person, RecordState, Side, Site
from tests.simulation.world.act_log import ActLog
from tests.simulation.world.chance import Chance
from tests.simulation.world.crowd import Crowd
from tests.simulation.world.decider import Decider
from tests.simulation.world.ledger_of_site import LedgerOfSite
from tests.simulation.world.moderation import moderate, moderate_outside
from tests.simulation.world.options import Options
from tests.simulation.world.owner import Owner
from tests.simulation.world.ports import Ports
from tests.simulation.world.post import Post
from tests.simulation.world.sweeper import Sweeper
from tests.simulation.world.talk import words_made_by
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote
from tests.twins.remote_values import RemoteEvent


@dataclass(frozen=True)
class Common:
    """What all sites of a world share.

    ``step``: told of each place where the world may step in. ``show_later``: has an accepted create
    become a record some time.
    """

    options: Options
    chance: Chance
    ledger: Any
    guard: MemoryGuard
    now: Callable[[], float]
    ring: Callable[[Any], None]
    step: Callable[[str], None]
    show_later: Callable[[Callable[[], None]], None]
    refuse_again: Callable[[], int | None]


class Shop:
    """What the oracles look at: each site must be as if it were alone.

    ``note_call``: told of each call of a remote of this site.
    """

    sweeper: Sweeper

    def __init__(self, common: Common, site: Site, note_call: Callable[[Shop, str], None]) -> None:
        self._common, self.site = common, site
        self.options, self.chance = common.options, common.chance
        self.guard = common.guard
        self.ledger = LedgerOfSite(common.ledger, site.id)
        options = self.options
        self.people = MemoryPeople()
        capabilities = {Side.WIX: options.wix, Side.EXTERNAL: options.external}
        for side, words in options.words.items():
            capabilities[side] = replace(capabilities[side], words=words)
        sources = {Side.WIX: site.instance_id, Side.EXTERNAL: site.external_source}
        self.post = Post(
            options,
            self.chance,
            capabilities,
            common.ledger.inbox,
            common.ring,
            sources,
            common.now,
        )
        self.remotes = {side: self._remote(side, capabilities[side]) for side in Side}
        self.wix, self.external = self.remotes[Side.WIX], self.remotes[Side.EXTERNAL]
        self.external.overlap_seconds = options.overlap_seconds
        self.wix.is_unknown = lambda person: person.contact_id not in self.people.contacts
        self.entities = [self._entity(number) for number in range(options.entities)]
        self.persons = [self._person(number) for number in range(options.people)]
        there = (self.persons, self.entities, self.remotes)
        self.crowd = Crowd(options, self.chance, *there, self.people, self.post)
        self.act_log = ActLog(options, *there, self.crowd, self.ledger, site)
        self.ports = Ports(options, self.remotes, self._called(note_call), common.refuse_again)
        self.connection: Connection = self.ports.connection(self.people)
        self.owner = Owner(
            site.id, common.ledger.accounts, self.post, self.wix, self.chance, common.now
        )
        self.decider = Decider(
            options, self.chance, common.ledger, site.id, common.ring, self.act_log.note_decision
        )
        # Every record that a run ever found to stand behind another one.
        self.shadowed: set[str] = set()
        # As the ledger last had it, of every record that ever was on file.
        self.states_on_file: dict[str, RecordState] = {}
        # Every record that the ledger ever had on file as published.
        self.once_published: set[str] = set()
        # Calls that work of other sites sent here.
        self.crossings: list[str] = []

    def _called(self, note_call: Callable[[Shop, str], None]) -> Callable[[str], None]:
        def step(place: str) -> None:
            note_call(self, place)
            self._common.step(place)

        return step

    # -- making it

    def _remote(self, side: Side, capabilities: Capabilities) -> MemoryRemote:
        chance = self.chance
        remote = MemoryRemote(side, capabilities, on_event=self.tell, fault=chance.fault_of)
        remote.clock = self._common.now
        remote.find_lags = lambda: chance.happens(chance.faults.find_lag)
        remote.later = self._common.show_later
        remote.vanishes = lambda: chance.happens(chance.faults.vanish)
        remote.fails = lambda: chance.happens(chance.faults.fail)
        remote.on_failure = self.post.tell_of_failure
        remote.list_skips = lambda: chance.happens(chance.faults.list_skip)
        remote.list_is_cut = lambda: chance.happens(chance.faults.list_cut)
        remote.makes_words = words_made_by(capabilities)
        if side is Side.WIX:
            moderate(remote, self.options, self._common.show_later)
        if side is Side.EXTERNAL:
            moderate_outside(remote, self.options, self._common.show_later)
        if side is Side.EXTERNAL and self.options.normalises:
            remote.normalise = lambda name, value: value.quantize(Decimal(1))
        return remote

    def _entity(self, number: int) -> tuple[EntityRef, EntityRef]:
        wix = EntityRef(f"product-{number}", "stores", "reviews")
        external = EntityRef(f"sku-{number}")
        self._common.ledger.directory.add_entity(self.site.id, wix, external)
        return wix, external

    def _person(self, number: int) -> Person:
        email = f"person{number}@example.com"
        if number < self.options.people - self.options.strangers:
            self.people.add(f"contact-{number}", email)
            contact = Contact(f"contact-{number}", email)
            self._common.ledger.directory.save_contact(self.site.id, contact)
        return Person(contact_id=f"contact-{number}", email=email, name="P")

    def act(self) -> None:
        """The owner does something with what lets us in, or somebody does something else."""
        if self.chance.happens(self.options.accounts):
            self.owner.act(self.options.removals)
        elif self.chance.happens(self.options.decisions):
            self.decider.act(self.persons, self.entities)
        else:
            self.crowd.act()

    # -- what the remotes and the oracles ask

    def tell(self, event: RemoteEvent) -> None:
        """A remote sends a webhook; what people did is noted first."""
        if not event.by_us:
            self.act_log.note(event)
        self.post.tell(event)

    def is_held(self, entity: EntityRef, person: Person) -> bool:
        return bool(self._common.ledger.is_held(self.site.id, entity, person))

    def guarded(self) -> list[tuple[int, Side, str]]:
        """What the loop guard remembers of this site."""
        return [place for place in self.guard.kept if place[0] == self.site.id]
