"""A small world on a virtual clock: two remotes, people, webhooks on their way, and workers that
run the real engine.

Workers are greenlets; every call through a port is a point where the world may switch to somebody
else, crash the worker, pause it beyond its lease, or lose a message. All choices come from one
seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

from sync_worker.core.errors import Duplicate, Gone, SyncError
from sync_worker.core.ports.accounts import PROBE_SECONDS
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.remote import Capabilities, Connection, Page
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import (
    Change,
    Contact,
    Draft,
    EntityRef,
    NewDelivery,
    Person,
    Policy,
    Record,
    RecordState,
    Side,
    Site,
)
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.intake.intake import Intake
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.reconcile.sweep_run import SweepRun
from tests.simulation.tries import REFUSALS, TryingRemote
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_remote import (
    JournalEntry,
    MemoryPeople,
    MemoryRemote,
    RemoteEvent,
    record_payload,
)

PERCENT = Scale(Decimal(0), Decimal(100), Decimal(1))
STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
TENTHS = Scale(Decimal(0), Decimal(10), Decimal(1))
OVERALL = FieldMap("overall", "value", PERCENT, STARS)
QUALITY = FieldMap("quality", "quality", PERCENT, TENTHS, "span")


class Crash(BaseException):
    """The worker process dies here."""


@dataclass(frozen=True)
class Faults:
    """Chances of each fault, by occasion; all zero is a calm world."""

    duplicate: float = 0.0
    drop: float = 0.0
    drop_outside: float = 0.0  # of the external side's webhooks alone
    request_lost: float = 0.0
    response_lost: float = 0.0
    refused_connection: float = 0.0
    false_gone: float = 0.0  # a look is answered 404, but not in the words of the system
    not_done: float = 0.0  # an update or a delete is answered with success, and not carried out
    refused_again: float = 0.0  # a later try of the same call is refused, whatever the first met
    limited: float = 0.0
    crash: float = 0.0
    pause: float = 0.0
    flush: float = 0.0
    broker_loss: float = 0.0
    find_lag: float = 0.0
    vanish: float = 0.0  # an accepted create never shows
    fail: float = 0.0  # nor this one, and an event says so
    clock_jump: float = 0.0
    clock_set_back: float = 0.0  # of the ledger's database, by a day
    list_skip: float = 0.0
    list_cut: float = 0.0
    refuse: float = 0.0  # a side does not accept our credentials for up to two minutes


CALM = Faults()
STORM = Faults(
    duplicate=0.15,
    drop=0.05,
    request_lost=0.04,
    response_lost=0.06,
    refused_connection=0.04,
    limited=0.03,
    crash=0.012,
    pause=0.008,
    flush=0.01,
    broker_loss=0.01,
    find_lag=0.2,
    clock_jump=0.004,
    clock_set_back=0.002,
    list_skip=0.1,
    list_cut=0.05,
)


PORTS_OF_THE_LEDGER = ("inbox", "directory", "links", "merges", "sites", "accounts")


class _Stepping:
    """A port whose every call is a place for the world to step in.

    ``note``: told of each call that has worked.
    """

    def __init__(
        self,
        target: Any,
        step: Callable[[str], None],
        name: str,
        note: Callable[[str, tuple[Any, ...]], None] = lambda attribute, args: None,
    ) -> None:
        self._target, self._step, self._name, self._note = target, step, name, note

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._target, attribute)
        if not callable(value):
            return value

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._step(f"before {self._name}.{attribute}")
            result = value(*args, **kwargs)
            self._note(attribute, args)
            self._step(f"after {self._name}.{attribute}")
            return result

        return stepped


@dataclass
class Options:
    """What a world is made of."""

    faults: Faults = CALM
    policy: Policy = field(default_factory=Policy)
    fields: tuple[FieldMap, ...] = (OVERALL,)
    external: Capabilities = field(default_factory=lambda: Capabilities(many_fields=True))
    people: int = 2
    entities: int = 1
    acts: int = 6
    fine_edits: bool = True
    moderation: bool = False
    normalises: bool = False
    workers: int = 3
    merges: float = 0.0  # chance that an act is a merge of two contacts
    erasures: float = 0.0  # chance that an act is the privacy request of a person
    several: float = (
        0.2  # chance that somebody who has rated outside rates there again, where that may be
    )
    sweeps: bool = True  # whether the world ends with sweeps
    sweeps_meanwhile: bool = False  # and whether some begin while everything happens
    polls_meanwhile: bool = False  # and polls
    overlap_seconds: float = 60.0  # how far before the newest time that it has seen a poll begins
    lists_changes: bool = (
        True  # whether a poll can ask for what changed; if not, it lists everything
    )
    # Events outside name the rated thing, and only when the number of its records changes
    parent_events: bool = False
    # Whether a write that fails is tried again at once, as the HTTP client does
    tries_again: bool = False


SWEEPS = 3
CPU_SECONDS = 2.0
LedgerMaker = Callable[[Callable[[], float]], Any]


class World:
    """Everything of one run.

    ``make_ledger(now)`` gives a ledger twin or a SqlLedger on the virtual clock.
    """

    def __init__(self, seed: int, options: Options, make_ledger: LedgerMaker) -> None:
        self.random = random.Random(seed)
        # Its own, so that the other choices of a seed stay what they were.
        self.random_of_clock = random.Random(f"clock {seed}")
        self.options = options
        self.faults = options.faults
        self.now = 1_000_000.0
        self.cpu = 0.0
        self.set_back_by = 0.0
        self.webhooks: list[NewDelivery] = []
        self.sent: list[NewDelivery] = []
        self.queue: list[int] = []
        self.workers: list[greenlet] = []
        self.crashes: list[str] = []
        self.steps = 0
        self.crash_steps: set[int] = set()
        self.on_step: Callable[[str], None] = lambda place: None
        # Which refusal, if any, a later try of a call meets.
        self.refuse_again: Callable[[], int | None] = self._refused_by_chance
        self.next_event = 0
        self.next_intent = 0
        self.acts = 0
        self.dropped: set[tuple[str, int | None]] = set()
        self.showing: list[tuple[float, Callable[[], None]]] = []
        self.last_act: dict[tuple[int, str], int] = {}
        # What people did, on both sides, in its order.
        self.people_did: list[tuple[Side, JournalEntry]] = []
        self.merged: list[tuple[Person, Person]] = []
        self.erased: list[Person] = []
        self.shadowed: set[str] = (
            set()
        )  # every record that a run ever found to stand behind another one
        # By remote id: the key, the number of the act, and the attributes that went.
        self.deleted_in_step: dict[Side, dict[str, tuple[tuple[int, str], int, Set[str]]]] = {
            side: {} for side in Side
        }
        self.ledger: Any = make_ledger(lambda: self.now - self.set_back_by)
        self.site: Site = self.ledger.add_site(
            "instance-1", "own-service", options.policy, options.fields
        )
        self.people = MemoryPeople()
        self.guard = MemoryGuard()
        self.wix = self._remote(Side.WIX, Capabilities(delete_is_final=True))
        self.external = self._remote(Side.EXTERNAL, options.external)
        self.external.overlap_seconds = options.overlap_seconds
        self.remotes = {Side.WIX: self.wix, Side.EXTERNAL: self.external}
        self.wix.is_unknown = lambda person: person.contact_id not in self.people.contacts
        self.entities = [self._entity(number) for number in range(options.entities)]
        self.persons = [self._person(number) for number in range(options.people)]
        self.intake = self.make_intake()
        self.runs: Any = self.ledger.sweeps
        self.planned_writes: list[PlannedWrite] = []
        self.disbelieved: set[Side] = (
            set()
        )  # sides whose last listing showed too little to be believed

    # -- making it

    def _remote(self, side: Side, capabilities: Capabilities) -> MemoryRemote:
        remote = MemoryRemote(side, capabilities, on_event=self.tell, fault=self._fault)
        remote.clock = lambda: self.now
        remote.find_lags = lambda: self._chance(self.faults.find_lag)
        remote.later = self._show_later
        remote.vanishes = lambda: self._chance(self.faults.vanish)
        remote.fails = lambda: self._chance(self.faults.fail)
        remote.on_failure = self.tell_of_failure
        remote.list_skips = lambda: self._chance(self.faults.list_skip)
        remote.list_is_cut = lambda: self._chance(self.faults.list_cut)
        if side is Side.EXTERNAL and self.options.normalises:
            remote.normalise = lambda name, value: value.quantize(Decimal(1))
        return remote

    def _show_later(self, show: Callable[[], None]) -> None:
        """An accepted create becomes a record after up to five minutes."""
        self.showing.append((self.now + self.random.uniform(0.0, 300.0), show))

    def show(self) -> None:
        """What is due by now shows."""
        due = [show for at, show in self.showing if at <= self.now]
        self.showing = [(at, show) for at, show in self.showing if at > self.now]
        for show in due:
            show()

    def _entity(self, number: int) -> tuple[EntityRef, EntityRef]:
        wix, external = (
            EntityRef(f"product-{number}", "stores", "reviews"),
            EntityRef(f"sku-{number}"),
        )
        self.ledger.directory.add_entity(self.site.id, wix, external)
        return wix, external

    def _person(self, number: int) -> Person:
        email = f"person{number}@example.com"
        self.people.add(f"contact-{number}", email)
        self.ledger.directory.save_contact(self.site.id, Contact(f"contact-{number}", email))
        return Person(contact_id=f"contact-{number}", email=email, name="P")

    def make_intake(self) -> Intake:
        step = self._step
        remotes = {side: _Stepping(self._called(side), step, str(side)) for side in Side}
        changed = self._changed if self.options.lists_changes else None
        probes = {side: remote.probe for side, remote in self.remotes.items()}
        connection = Connection(remotes, self.people, self._children, changed, probes)
        ledger = Ledger(
            **{
                port: _Stepping(getattr(self.ledger, port), step, "ledger", self._note_shadowed)
                for port in PORTS_OF_THE_LEDGER
            }
        )
        return Intake(
            ledger,
            self.guard,
            self,
            lambda site: connection,
            self,
            self._intent_id,
            cpu_seconds=CPU_SECONDS,
        )

    def _called(self, side: Side) -> Any:
        """A remote, as the engine calls it."""
        remote = self.remotes[side]
        if not self.options.tries_again:
            return remote
        between = partial(self._step, f"between tries of {side}")
        return TryingRemote(remote, between, lambda: self.refuse_again())

    def _refused_by_chance(self) -> int | None:
        if not self._chance(self.faults.refused_again):
            return None
        return self.random.randrange(len(REFUSALS))

    def _note_shadowed(self, attribute: str, args: tuple[Any, ...]) -> None:
        if attribute == "commit":
            self.shadowed |= args[1].shadowed

    def _children(self, parent_id: str) -> Iterator[Record]:
        self._step("before external.children")
        yield from self.external.children(parent_id)
        self._step("after external.children")

    def _changed(self, since: datetime | None, cursor: str | None) -> Page:
        self._step("before external.changed")
        page = self.external.changed_page(since, cursor)
        self._step("after external.changed")
        return page

    def _intent_id(self) -> str:
        self.next_intent += 1
        return f"intent-{self.next_intent}"

    def monotonic(self) -> float:
        return self.now

    def cpu_seconds(self) -> float:
        return self.cpu

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.queue += inbox_ids

    # -- chance

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def _fault(self, operation: str) -> str | None:
        f = self.faults
        for name in ("limited", "refused_connection", "request_lost", "response_lost"):
            if self._chance(getattr(f, name)):
                return name
        if operation == "get" and self._chance(f.false_gone):
            return "false_gone"
        if operation in ("update", "delete") and self._chance(f.not_done):
            return "not_done"
        return None

    def _step(self, place: str) -> None:
        """Called by a worker at each port call: hands over to the world, which may crash or pause
        it.
        """
        self.steps += 1
        self.on_step(place)
        hub = getcurrent().parent
        if hub is None:
            return
        if self.steps in self.crash_steps or self._chance(self.faults.crash):
            self.crashes.append(place)
            raise Crash(place)
        if self._chance(self.faults.pause):
            self.now += 20.0
        hub.switch()

    # -- webhooks

    def tell(self, event: RemoteEvent) -> None:
        """A remote sends a webhook."""
        if not event.by_us:
            self._note_act(event)
        if self._chance(self.faults.drop) or (
            event.side is Side.EXTERNAL and self._chance(self.faults.drop_outside)
        ):
            self.dropped.add((event.record.remote_id, event.record.revision))
            return
        if (
            self.options.parent_events
            and event.side is Side.EXTERNAL
            and not self._changes_the_count(event)
        ):
            return
        self.next_event += 1
        delivery = self.as_delivery(event, f"event-{self.next_event}")
        self.webhooks.append(delivery)
        while self._chance(self.faults.duplicate):
            self.webhooks.append(delivery)

    def tell_of_failure(self, draft: Draft) -> None:
        """An accepted create was not carried out."""
        self.next_event += 1
        told = {"entity": [draft.entity.entity_id, draft.entity.group], "email": draft.person.email}
        number = f"event-{self.next_event}"
        self.webhooks.append(
            NewDelivery(
                Side.EXTERNAL, "own-service", number, Change.CREATE_FAILED, f"failed:{number}", told
            )
        )

    def _changes_the_count(self, event: RemoteEvent) -> bool:
        return event.is_created or event.change == "delete"

    def _note_act(self, event: RemoteEvent) -> None:
        """Remember what people did, and which deletes met both sides in step."""
        self.people_did.append((event.side, self.remotes[event.side].journal[-1]))
        record = event.record
        number = next(i for i, pair in enumerate(self.entities) if record.entity in pair)
        person = next(
            one
            for one in self.persons
            if (one.contact_id, one.email)[event.side is Side.EXTERNAL]
            == (record.person.contact_id, record.person.email)[event.side is Side.EXTERNAL]
        )
        key = (number, str(person.contact_id))
        self.acts += 1
        self.last_act[key] = self.acts
        has_revisions = (
            self.external.capabilities.has_revision
        )  # without them nobody can tell who is in step
        if (
            event.change == "delete"
            and has_revisions
            and self.ledger.was_in_step(self.site.id, event.side, record, self._partner(event))
        ):
            self.deleted_in_step[event.side][record.remote_id] = (
                key,
                self.acts,
                self.attributes_of(record),
            )

    def attributes_of(self, record: Record) -> Set[str]:
        """The mapped ones that a record of either side carries."""
        fields = self.options.fields
        return {
            one.attribute
            for one in fields
            if record.values.keys() & {one.attribute, one.external_field}
        }

    def _partner(self, event: RemoteEvent) -> list[Record]:
        """The live records of the same person and entity on the other side."""
        number = next(i for i, pair in enumerate(self.entities) if event.record.entity in pair)
        by = event.record.person
        person = next(
            one for one in self.persons if by.email == one.email or by.contact_id == one.contact_id
        )
        return self.ratings_of(
            event.side.other, self.entities[number][event.side is Side.WIX], person
        )

    # -- people who are one, and people who left

    def lives_as(self, person: Person) -> Person:
        """After merges: the one who lives on."""
        targets = {str(source.contact_id): target for source, target in self.merged}
        while str(person.contact_id) in targets:
            person = targets[str(person.contact_id)]
        return person

    def aliases(self, person: Person) -> list[Person]:
        """Everybody who is the same person by now."""
        return [one for one in self.persons if self.lives_as(one) == self.lives_as(person)]

    def ratings_of(self, side: Side, entity: EntityRef, person: Person) -> list[Record]:
        return [
            record for one in self.aliases(person) for record in self.remotes[side].of(entity, one)
        ]

    def merge(self, source: Person, target: Person) -> None:
        """The owner merges two contacts: Wix tells of the merge and of the deletion that it
        caused.
        """
        self.people.merges(str(source.contact_id), str(target.contact_id))
        self.merged.append((source, target))
        told = {"sources": [source.contact_id], "target": target.contact_id}
        self.tell_of_contact(Change.CONTACT_MERGED, target, told)
        self.tell_of_contact(Change.CONTACT_DELETED, source, {"originatedFrom": "merge"})

    def erase(self, person: Person) -> None:
        """A person asks to be forgotten: Wix deletes the ratings and the contact, and tells of
        both.
        """
        self.erased += self.aliases(person)
        for wix, _ in self.entities:
            for record in self.ratings_of(Side.WIX, wix, person):
                self.wix.visitor_deletes(record.remote_id, privacy=True)
        del self.people.contacts[str(person.contact_id)]
        self.tell_of_contact(Change.CONTACT_DELETED, person, {}, privacy=True)

    def tell_of_contact(
        self, change: Change, person: Person, told: dict[str, Any], *, privacy: bool = False
    ) -> NewDelivery:
        """Never dropped: nothing but the event tells of a privacy request."""
        self.next_event += 1
        delivery = NewDelivery(
            Side.WIX,
            "instance-1",
            f"event-{self.next_event}",
            change,
            str(person.contact_id),
            told,
            privacy=privacy,
        )
        self.webhooks.append(delivery)
        while self._chance(self.faults.duplicate):
            self.webhooks.append(delivery)
        return delivery

    def is_held(self, entity: EntityRef, person: Person) -> bool:
        return bool(self.ledger.is_held(self.site.id, entity, person))

    def as_delivery(self, event: RemoteEvent, event_id: str) -> NewDelivery:
        trusted = self.remotes[event.side].capabilities.trusts_payload
        is_delete = event.change == "delete"
        if self.options.parent_events and event.side is Side.EXTERNAL:
            assert event.record.entity is not None
            parent = event.record.entity.entity_id
            return NewDelivery(
                Side.EXTERNAL, "own-service", event_id, Change.PARENT_CHANGED, parent, {}
            )
        return NewDelivery(
            side=event.side,
            source="instance-1" if event.side is Side.WIX else "own-service",
            dedupe_id=event_id,
            change=Change(event.change),
            remote_id=event.record.remote_id,
            payload=(
                {}
                if is_delete or not trusted
                else {"record": record_payload(self._sequenced(event))}
            ),
            revision=None if is_delete else event.record.revision,
            sequence=event.sequence if event.side is Side.WIX else None,
            is_restore=event.is_created and event.side is Side.WIX,
            is_ours=event.by_us and event.side is Side.WIX,
            privacy=event.privacy,
        )

    def _sequenced(self, event: RemoteEvent) -> Record:
        return replace(event.record, sequence=event.sequence if event.side is Side.WIX else None)

    def deliver(self, index: int) -> None:
        delivery = self.webhooks.pop(index)
        self.sent.append(delivery)
        stored = self.ledger.inbox.store(delivery)
        if not stored.is_duplicate and not self._chance(self.faults.broker_loss):
            self.queue.append(stored.inbox_id)

    # -- people act

    def act(self) -> None:
        """One person does one thing on one side, or two turn out to be one, or somebody leaves."""
        there = [one for one in self.persons if one not in self.erased]
        living = [one for one in there if self.lives_as(one) == one]
        if len(living) > 1 and self._chance(self.options.merges):
            self.merge(*self.random.sample(living, 2))
            return
        if len(living) > 1 and self._chance(self.options.erasures):
            self.erase(self.random.choice(living))
            return
        side = self.random.choice(list(Side))
        entity = self.random.choice(self.entities)[0 if side is Side.WIX else 1]
        person = self.random.choice(there)
        if side is Side.WIX:
            person = self.lives_as(person)
        remote = self.remotes[side]
        mine = (
            self.ratings_of(side, entity, person) if side is Side.WIX else remote.of(entity, person)
        )
        field_map = self.random.choice(self.options.fields)
        name = field_map.attribute if side is Side.WIX else field_map.external_field
        mine = [one for one in mine if remote.capabilities.many_fields or name in one.values]
        record = self.random.choice(mine) if len(mine) > 1 else next(iter(mine), None)
        value = self._some_value(field_map.wix if side is Side.WIX else field_map.external)
        try:
            self._act_on(remote, record, entity, person, name, value)
        except (Duplicate, Gone):
            return

    def _act_on(
        self,
        remote: MemoryRemote,
        record: Record | None,
        entity: EntityRef,
        person: Person,
        name: str,
        value: Decimal,
    ) -> None:
        rates_again = (
            record is not None
            and not remote.capabilities.is_unique
            and self._chance(self.options.several)
        )
        if record is None or rates_again:
            values = {name: value}
            if remote.capabilities.many_fields:
                values.setdefault("value", self._some_value(STARS))
            remote.visitor_rates(entity, person, values)
        elif self._chance(0.25):
            remote.visitor_deletes(
                record.remote_id, privacy=remote is self.wix and self._chance(0.1)
            )
        elif self.options.moderation and remote is self.external and self._chance(0.3):
            state = RecordState.PENDING if record.is_visible else RecordState.PUBLISHED
            remote.moderator_sets(record.remote_id, state)
        else:
            remote.visitor_changes(record.remote_id, {name: value})

    def _some_value(self, scale: Scale) -> Decimal:
        if scale == PERCENT and not self.options.fine_edits:
            return Decimal(self.random.randrange(20, 101, 20))
        return scale.level(self.random.randrange(scale.levels))

    # -- time goes by

    def start_worker(self, inbox_id: int) -> None:
        self.workers.append(greenlet(lambda: self._work(inbox_id)))

    def _work(self, inbox_id: int) -> None:
        try:
            self.intake.process(inbox_id)
        except Crash:
            return

    def step_worker(self, index: int) -> None:
        worker = self.workers[index]
        worker.switch()
        if worker.dead:
            self.workers.remove(worker)

    def tick(self) -> None:
        """One thing happens."""
        choices: list[Callable[[], None]] = []
        if self.webhooks:
            choices += [lambda: self.deliver(self.random.randrange(len(self.webhooks)))] * 2
        if self.queue and len(self.workers) < self.options.workers:
            choices += [
                lambda: self.start_worker(self.queue.pop(self.random.randrange(len(self.queue))))
            ] * 3
        if self.workers:
            choices += [lambda: self.step_worker(self.random.randrange(len(self.workers)))] * 8
        choices.append(self._let_time_pass)
        if self.options.sweeps_meanwhile and self._chance(0.1):
            choices.append(self.start_sweep)
        if self.options.polls_meanwhile and self._chance(0.5):
            choices.append(lambda: self.start_sweep(RunKind.POLL))
        self.random.choice(choices)()

    def step_in_order(self) -> bool:
        """The next thing happens, without chance. False if only time is left to pass."""
        if not (self.webhooks or self.queue or self.workers):
            return False
        if self.webhooks:
            self.deliver(0)
        if self.queue:
            self.start_worker(self.queue.pop(0))
        if self.workers:
            self.step_worker(0)
        return True

    def _let_time_pass(self) -> None:
        self.now += self.random.choice((0.01, 0.5, 3.0))
        self.show()
        if self._chance(self.faults.clock_jump):
            self.now += 3600.0
        if self.random_of_clock.random() < self.faults.clock_set_back:
            self.set_clock_back()
        if self._chance(self.faults.flush * 5):
            self.guard.flush()
        if self._chance(self.faults.broker_loss * 5):
            self.queue.clear()
        for remote in self.remotes.values():
            if self._chance(self.faults.refuse):
                remote.refused_until = self.now + self.random.uniform(1.0, 120.0)
        if self._chance(0.2):
            self.queue += self.ledger.inbox.due(20)
            self.probe()

    def probe(self) -> None:
        """Failing accounts are asked whether they work again."""
        AccountWatch(self.ledger.accounts, self, self.intake.connect).probe_some()

    def set_clock_back(self) -> None:
        """Somebody sets the clock of the ledger's database back by a day."""
        self.set_back_by += 86_400.0

    def run(self) -> None:
        """Acts and chaos, then calm until nothing moves."""
        acts = self.options.acts
        while acts:
            if self._chance(0.08):
                self.act()
                acts -= 1
            self.tick()
        self.settle()

    # -- the end

    def drain(self) -> None:
        """Deliver and process everything there is."""
        for _ in range(2_000):
            while self.webhooks:
                self.deliver(self.random.randrange(len(self.webhooks)))
            while self.workers or self.queue:
                if self.queue and len(self.workers) < self.options.workers:
                    self.start_worker(self.queue.pop(0))
                self.step_worker(self.random.randrange(len(self.workers)))
            if not self.webhooks and not self.ledger.open_count() and not self.showing:
                return
            self.now += 30.0
            self.show()
            self.probe()
            self.queue += self.ledger.inbox.due(100)
        raise AssertionError("the world did not come to rest")

    def recover_accounts(self) -> None:
        """Refusals end, and the probe of the minute after that finds out."""
        ends_at = max(remote.refused_until for remote in self.remotes.values())
        if ends_at:
            self.now = max(self.now, ends_at) + PROBE_SECONDS
            self.probe()
            self.drain()

    def settle(self) -> None:
        """Faults off, everything delivered, then sweeps: a deletion that was not told shows in the
        second one.

        One whose listing is not believed does not count, as long as another one may repair what
        keeps it from that. A world of polls has two more of them before: the first may only end one
        that was interrupted.
        """
        self.faults = CALM
        self.drain()
        self.recover_accounts()
        for _ in range(2 * self.options.polls_meanwhile):
            self.poll()
            self.drain()
        believed = 0 if self.options.sweeps else SWEEPS
        for _ in range(2 * SWEEPS):
            if believed == SWEEPS:
                return
            self.sweep()
            self.drain()
            believed = 0 if self.disbelieved else believed + 1

    # -- sweeps

    def sweep(self) -> None:
        """The real one, from its beginning or from where one was interrupted, to its end."""
        self._run_alone(RunKind.SWEEP)

    def poll(self) -> None:
        """What changed on the external side, to the end of the look."""
        self._run_alone(RunKind.POLL)

    def _run_alone(self, kind: RunKind) -> None:
        self.now += 30.0  # the lease of a dead run ends
        self.start_sweep(kind)
        while self.workers:
            self.step_worker(len(self.workers) - 1)

    def start_sweep(self, kind: RunKind = RunKind.SWEEP) -> None:
        self.workers.append(greenlet(lambda: self._sweep(kind)))

    def _sweep(self, kind: RunKind) -> None:
        runs: Any = _Stepping(self.runs, self._step, "runs")
        try:
            sweep = runs.begin(self.site.id, kind)
            if sweep is None:
                return
            run = self.reconcile(sweep, runs)
            try:
                run.work()
            except SyncError:
                runs.release_run(sweep)
            if kind is RunKind.SWEEP:
                self.disbelieved = {
                    side for side in Side if run.sweep.counts.get(f"refused_{side}")
                }
        except Crash:
            return

    def hint(self, side: Side, change: Change, remote_id: str) -> None:
        """Have one record looked at again."""
        self.next_event += 1
        source = "instance-1" if side is Side.WIX else "own-service"
        stored = self.ledger.inbox.store(
            NewDelivery(side, source, f"hint-{self.next_event}", change, remote_id, {})
        )
        self.queue += self.ledger.inbox.release_held(None, inbox_ids=[stored.inbox_id])

    def reconcile(self, sweep: Sweep, runs: Any) -> Reconcile:
        run = SweepRun(sweep, runs, Pace(self._wait), self.intake.clock)
        return Reconcile(run, self.site, self.intake, self.planned_writes.append)

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        self._step("wait")

    def replay(self, deliveries: Iterable[NewDelivery]) -> None:
        """Deliver again, under new delivery ids, what was delivered before."""
        for delivery in deliveries:
            self.next_event += 1
            self.webhooks.append(replace(delivery, dedupe_id=f"again-{self.next_event}"))
        self.drain()
