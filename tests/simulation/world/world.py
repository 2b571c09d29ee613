"""A small world on a virtual clock: two remotes, people, webhooks on their way, and workers that
run the real engine.

Workers are greenlets; every call through a port is a point where the world may switch to somebody
else, crash the worker, pause it beyond its lease, or lose a message. All choices come from one
seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from greenlet import getcurrent, greenlet

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.ports.site_sides import PROBE_SECONDS
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Contact, EntityRef, NewDelivery, Person, Side, Site
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.intake.intake import Intake
from tests.simulation.world.act_log import ActLog
from tests.simulation.world.chance import Chance
from tests.simulation.world.crowd import Crowd
from tests.simulation.world.moderation import moderate
from tests.simulation.world.options import CALM, CPU_SECONDS, LedgerMaker, Options
from tests.simulation.world.ports import Ports
from tests.simulation.world.post import Post
from tests.simulation.world.stepping import Crash
from tests.simulation.world.sweeper import Sweeper
from tests.simulation.world.talk import words_made_by
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote
from tests.twins.remote_values import RemoteEvent

SWEEPS = 3
YEAR = 365 * 86_400.0


class World:
    """Everything of one run.

    ``make_ledger(now, monotonic)`` gives a ledger twin or a SqlLedger on the virtual clock.
    """

    def __init__(self, seed: int, options: Options, make_ledger: LedgerMaker) -> None:
        self.options = options
        self.chance = Chance(seed, options.faults)
        self.now = 1_000_000.0
        self.cpu = 0.0
        self.set_back_by = 0.0
        self.set_ahead_by, self.is_ahead_until = 0.0, 0.0
        self.queue: list[int] = []
        self.workers: list[greenlet] = []
        self.crashes: list[str] = []
        self.steps = 0
        self.crash_steps: set[int] = set()
        self.on_step: Callable[[str], None] = lambda place: None
        # Which refusal, if any, a later try of a call meets.
        self.refuse_again: Callable[[], int | None] = self.chance.refusal_of_a_later_try
        self.next_intent = 0
        self.showing: list[tuple[float, Callable[[], None]]] = []
        self.ledger: Any = make_ledger(
            lambda: self.now - self.set_back_by + self.set_ahead_by, self.monotonic
        )
        self.site: Site = self.ledger.add_site(
            "instance-1", "own-service", options.policy, options.fields
        )
        self.people = MemoryPeople()
        self.guard = MemoryGuard()
        capabilities = {
            Side.WIX: options.wix,
            Side.EXTERNAL: options.external,
        }
        for side, words in options.words.items():
            capabilities[side] = replace(capabilities[side], words=words)
        self.post = Post(options, self.chance, capabilities, self.ledger.inbox, self.ring)
        self.remotes = {side: self._remote(side, capabilities[side]) for side in Side}
        self.wix, self.external = self.remotes[Side.WIX], self.remotes[Side.EXTERNAL]
        self.external.overlap_seconds = options.overlap_seconds
        self.wix.is_unknown = lambda person: person.contact_id not in self.people.contacts
        self.entities = [self._entity(number) for number in range(options.entities)]
        self.persons = [self._person(number) for number in range(options.people)]
        there = (self.persons, self.entities, self.remotes)
        self.crowd = Crowd(options, self.chance, *there, self.people, self.post)
        self.act_log = ActLog(options, *there, self.crowd, self.ledger, self.site)
        self.ports = Ports(options, self.remotes, self._step, lambda: self.refuse_again())
        self.intake = self._intake()
        self.sweeper = Sweeper(
            self.ledger.sweeps, self.site, self.intake, self._step, self._wait_in_sweep
        )

    # -- making it

    def _remote(self, side: Side, capabilities: Capabilities) -> MemoryRemote:
        chance = self.chance
        remote = MemoryRemote(side, capabilities, on_event=self.tell, fault=chance.fault_of)
        remote.clock = lambda: self.now
        remote.find_lags = lambda: chance.happens(chance.faults.find_lag)
        remote.later = self._show_later
        remote.vanishes = lambda: chance.happens(chance.faults.vanish)
        remote.fails = lambda: chance.happens(chance.faults.fail)
        remote.on_failure = self.post.tell_of_failure
        remote.list_skips = lambda: chance.happens(chance.faults.list_skip)
        remote.list_is_cut = lambda: chance.happens(chance.faults.list_cut)
        remote.makes_words = words_made_by(capabilities)
        if side is Side.WIX:
            moderate(remote, self.options, self._show_later)
        if side is Side.EXTERNAL and self.options.normalises:
            remote.normalise = lambda name, value: value.quantize(Decimal(1))
        return remote

    def _entity(self, number: int) -> tuple[EntityRef, EntityRef]:
        wix = EntityRef(f"product-{number}", "stores", "reviews")
        external = EntityRef(f"sku-{number}")
        self.ledger.directory.add_entity(self.site.id, wix, external)
        return wix, external

    def _person(self, number: int) -> Person:
        email = f"person{number}@example.com"
        self.people.add(f"contact-{number}", email)
        self.ledger.directory.save_contact(self.site.id, Contact(f"contact-{number}", email))
        return Person(contact_id=f"contact-{number}", email=email, name="P")

    def _intake(self) -> Intake:
        connection = self.ports.connection(self.people)
        return Intake(
            self.ports.ledger(self.ledger),
            self.guard,
            self,
            lambda site: connection,
            self,
            self._intent_id,
            cpu_seconds=CPU_SECONDS,
        )

    # -- what the engine asks

    def _intent_id(self) -> str:
        self.next_intent += 1
        return f"intent-{self.next_intent}"

    def monotonic(self) -> float:
        return self.now

    def cpu_seconds(self) -> float:
        return self.cpu

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.queue += inbox_ids

    def _step(self, place: str) -> None:
        """Called by a worker at each port call: hands over to the world, which may crash or pause
        it.
        """
        self.steps += 1
        self.on_step(place)
        hub = getcurrent().parent
        if hub is None:
            return
        if self.steps in self.crash_steps or self.chance.happens(self.chance.faults.crash):
            self.crashes.append(place)
            raise Crash(place)
        if self.chance.happens(self.chance.faults.pause):
            self.now += 20.0
        hub.switch()

    # -- what the remotes and the oracles ask

    def tell(self, event: RemoteEvent) -> None:
        """A remote sends a webhook; what people did is noted first."""
        if not event.by_us:
            self.act_log.note(event)
        self.post.tell(event)

    def _show_later(self, show: Callable[[], None]) -> None:
        """An accepted create becomes a record after up to five minutes."""
        self.showing.append((self.now + self.chance.random.uniform(0.0, 300.0), show))

    def _show(self) -> None:
        """What is due by now shows."""
        due = [show for at, show in self.showing if at <= self.now]
        self.showing = [(at, show) for at, show in self.showing if at > self.now]
        for show in due:
            show()

    def is_held(self, entity: EntityRef, person: Person) -> bool:
        return bool(self.ledger.is_held(self.site.id, entity, person))

    # -- workers

    def start_worker(self, inbox_id: int) -> None:
        self.workers.append(greenlet(lambda: self.work(inbox_id)))

    def work(self, inbox_id: int) -> None:
        """One delivery, to its end or a crash."""
        try:
            self.intake.process(inbox_id)
        except Crash:
            return

    def step_worker(self, index: int) -> None:
        worker = self.workers[index]
        worker.switch()
        if worker.dead:
            self.workers.remove(worker)

    def start_sweep(self, kind: RunKind = RunKind.SWEEP) -> None:
        self.workers.append(greenlet(lambda: self.sweeper.work(kind)))

    def _wait_in_sweep(self, seconds: float) -> None:
        self.now += seconds
        self._step("wait")

    # -- time goes by

    def tick(self) -> None:
        """One thing happens."""
        random, webhooks = self.chance.random, self.post.webhooks
        choices: list[Callable[[], None]] = []
        if webhooks:
            choices += [lambda: self.post.deliver(random.randrange(len(webhooks)))] * 2
        if self.queue and len(self.workers) < self.options.workers:
            choices += [
                lambda: self.start_worker(self.queue.pop(random.randrange(len(self.queue))))
            ] * 3
        if self.workers:
            choices += [lambda: self.step_worker(random.randrange(len(self.workers)))] * 8
        choices.append(self._let_time_pass)
        if self.options.sweeps_meanwhile and self.chance.happens(0.1):
            choices.append(self.start_sweep)
        if self.options.polls_meanwhile and self.chance.happens(0.5):
            choices.append(lambda: self.start_sweep(RunKind.POLL))
        random.choice(choices)()

    def step_in_order(self) -> bool:
        """The next thing happens, without chance. False if only time is left to pass."""
        if not (self.post.webhooks or self.queue or self.workers):
            return False
        if self.post.webhooks:
            self.post.deliver(0)
        if self.queue:
            self.start_worker(self.queue.pop(0))
        if self.workers:
            self.step_worker(0)
        return True

    def _let_time_pass(self) -> None:
        happens, faults, random = self.chance.happens, self.chance.faults, self.chance.random
        self.now += random.choice((0.01, 0.5, 3.0))
        self._show()
        if happens(faults.clock_jump):
            self.now += 3600.0
        if self.chance.sets_clock_back():
            self.set_clock_back()
        if self.chance.sets_clock_ahead():
            self.set_clock_ahead(self.chance.seconds_ahead())
        self.notice_clock()
        if happens(faults.flush * 5):
            self.guard.flush()
        if happens(faults.broker_loss * 5):
            self.queue.clear()
        for remote in self.remotes.values():
            if happens(faults.refuse):
                remote.refused_until = self.now + random.uniform(1.0, 120.0)
        if happens(0.2):
            self.queue += self.ledger.inbox.due(20)
            self.probe()

    def probe(self) -> None:
        """Failing accounts are asked whether they work again."""
        AccountWatch(self.ledger.site_sides, self, self.intake.connect).probe_some()

    def set_clock_back(self) -> None:
        """Somebody sets the clock of the ledger's database back by a day."""
        self.set_back_by += 86_400.0

    def set_clock_ahead(self, seconds: float) -> None:
        """It shows the next year, until somebody notices after so many seconds."""
        self.set_ahead_by, self.is_ahead_until = YEAR, self.now + seconds

    def notice_clock(self) -> None:
        if self.now >= self.is_ahead_until:
            self.set_ahead_by = 0.0

    def run(self) -> None:
        """Acts and chaos, then calm until nothing moves."""
        acts = self.options.acts
        while acts:
            if self.chance.happens(0.08):
                self.crowd.act()
                acts -= 1
            self.tick()
        self.settle()

    # -- the end

    def drain(self, rounds: int = 2_000) -> None:
        """Deliver and process everything there is, in so many rounds of half a minute."""
        random, post = self.chance.random, self.post
        for _ in range(rounds):
            while post.webhooks:
                post.deliver(random.randrange(len(post.webhooks)))
            while self.workers or self.queue:
                if self.queue and len(self.workers) < self.options.workers:
                    self.start_worker(self.queue.pop(0))
                self.step_worker(random.randrange(len(self.workers)))
            if not post.webhooks and not self.ledger.open_count() and not self.showing:
                return
            self.now += 30.0
            self.notice_clock()
            self._show()
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
        self.chance.faults = CALM
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
            believed = 0 if self.sweeper.disbelieved else believed + 1

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

    def replay(self, deliveries: Iterable[NewDelivery]) -> None:
        """Deliver again what was delivered before."""
        self.post.send_again(deliveries)
        self.drain()
