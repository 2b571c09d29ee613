"""A small world on a virtual clock: two remotes, people, webhooks on their way, and workers that
run the real engine.

Workers are greenlets; every call through a port is a point where the world may switch to somebody
else, crash the worker, pause it beyond its lease, or lose a message. All choices come from one
seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

from sync_worker.core.errors import Held
from sync_worker.core.hold_reasons import ACCOUNT_REVOKED
from sync_worker.core.ports.remote import Connection
from sync_worker.core.ports.slots import Slots, Unbounded
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import EntityRef, Person, RecordState, Side, Site
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.intake.intake import Intake
from sync_worker.remotes.http.outage import SlotShares
from tests.simulation.world.chance import Chance
from tests.simulation.world.options import CPU_SECONDS, LedgerMaker, Options
from tests.simulation.world.shop import Common, Shop
from tests.simulation.world.stepping import Crash
from tests.simulation.world.sweeper import Sweeper
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_remote import MemoryRemote

YEAR = 365 * 86_400.0
# The first site has the implicit account of its connector, others have accounts of the same one.
CONNECTOR = "own-service"


def source_of_account(site: Site) -> str:
    """Under which name the account of a site is kept."""
    return site.external_source


class GoingOn:
    """Everything of one run, and what happens in it.

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
        self.guard = MemoryGuard()
        # Which site a worker is at work for.
        self._at_work_for: dict[greenlet, Shop] = {}
        self.shops = [self._shop(number) for number in range(options.sites)]
        # What a world of one site has.
        first = self.shops[0]
        self.site, self.people, self.post = first.site, first.people, first.post
        self.remotes, self.wix, self.external = first.remotes, first.wix, first.external
        self.entities, self.persons = first.entities, first.persons
        self.crowd, self.act_log, self.ports = first.crowd, first.act_log, first.ports
        self.tell = first.tell
        self.intake = self._intake()
        for shop in self.shops:
            shop.sweeper = self._sweeper(shop)
        self.sweeper = first.sweeper

    # -- making it

    def _shop(self, number: int) -> Shop:
        options = self.options
        site = self.ledger.add_site(
            f"instance-{number + 1}",
            CONNECTOR,
            options.policy,
            options.fields,
            f"account-{number}" if number else "",
        )
        common = Common(
            options,
            self.chance,
            self.ledger,
            self.guard,
            self.monotonic,
            self.ring,
            self._step,
            self._show_later,
            lambda: self.refuse_again(),
        )
        return Shop(common, site, self._note_call)

    def add_shop(self) -> Shop:
        """One more site, while all others are at work."""
        shop = self._shop(len(self.shops))
        shop.sweeper = self._sweeper(shop)
        self.shops.append(shop)
        return shop

    def _sweeper(self, shop: Shop) -> Sweeper:
        site = partial(self.ledger.site, shop.site.id)
        wait = self._wait_in_sweep
        return Sweeper(self.ledger.sweeps, site, self.intake, self._step, wait)

    def _intake(self) -> Intake:
        return Intake(
            self.ports.ledger(self.ledger, self._note_commit),
            self.guard,
            self,
            self.connect,
            self,
            self._intent_id,
            cpu_seconds=CPU_SECONDS,
            slots=self._slots(),
        )

    def _slots(self) -> Slots:
        """Those of the one process whose threads all workers are."""
        options = self.options
        if not options.slots:
            return Unbounded()
        return SlotShares(
            options.slots,
            self.monotonic,
            lambda: len(self.shops) > 1,
            options.workers,
            getcurrent,
        )

    # -- what the engine asks

    def connect(self, site: Site) -> Connection:
        """Both sides of a site, by its account."""
        source = source_of_account(site)
        for shop in self.shops:
            if source == shop.post.sources[Side.EXTERNAL] and shop.post.is_open():
                return shop.connection
        raise Held(ACCOUNT_REVOKED)

    def _intent_id(self) -> str:
        self.next_intent += 1
        return f"intent-{self.next_intent}"

    def monotonic(self) -> float:
        return self.now

    def cpu_seconds(self) -> float:
        return self.cpu

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.queue += [*inbox_ids] * self.options.rings

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

    def _note_call(self, called: Shop, place: str) -> None:
        """A call of a remote begins or ends."""
        shop = self._at_work_for.get(getcurrent())
        is_call = place.startswith(("before wix.", "before external."))
        if shop is not None and shop is not called and is_call:
            called.crossings.append(f"{place}, at work for {shop.site.instance_id}")

    def _note_commit(self, attribute: str, args: tuple[Any, ...]) -> None:
        shop = self._at_work_for.get(getcurrent())
        if attribute == "commit" and shop is not None:
            shop.shadowed |= args[1].shadowed
            known = [one for one in args[1].records.values() if one is not None]
            shop.states_on_file |= {one.remote_id: one.state for one in known}
            published = [one for one in known if one.state is RecordState.PUBLISHED]
            shop.once_published.update(one.remote_id for one in published)

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
        return self.shops[0].is_held(entity, person)

    # -- workers

    def start_worker(self, inbox_id: int) -> None:
        self.workers.append(greenlet(lambda: self.work(inbox_id)))

    def work(self, inbox_id: int) -> None:
        """One delivery, to its end or a crash."""
        with self._at_work(self._whose(inbox_id)):
            self.intake.process(inbox_id)

    def _whose(self, inbox_id: int) -> Shop:
        """By the name under which a delivery arrived; the ledger is not asked to resolve it."""
        if len(self.shops) == 1:
            return self.shops[0]
        name = self.ledger.source_of(inbox_id)
        return next(one for one in self.shops if name in one.post.names())

    @contextmanager
    def _at_work(self, shop: Shop) -> Iterator[None]:
        """A worker, until it ends or crashes."""
        worker = getcurrent()
        self._at_work_for[worker] = shop
        try:
            yield
        except Crash:
            return
        finally:
            del self._at_work_for[worker]

    def step_worker(self, index: int) -> None:
        worker = self.workers[index]
        worker.switch()
        if worker.dead:
            self.workers.remove(worker)

    def start_sweep(self, kind: RunKind = RunKind.SWEEP, shop: Shop | None = None) -> None:
        shop = shop or self._some_shop()
        self.workers.append(greenlet(lambda: self._sweep(shop, kind)))

    def _sweep(self, shop: Shop, kind: RunKind) -> None:
        with self._at_work(shop):
            shop.sweeper.work(kind)

    def _some_shop(self) -> Shop:
        if len(self.shops) == 1:
            return self.shops[0]
        return self.chance.random.choice(self.shops)

    def _wait_in_sweep(self, seconds: float) -> None:
        self.now += seconds
        self._step("wait")

    # -- time goes by

    def tick(self) -> None:
        """One thing happens."""
        random = self.chance.random
        choices: list[Callable[[], None]] = []
        for shop in self.shops:
            if shop.post.webhooks:
                choices += [partial(shop.post.deliver_some, random)] * 2
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
        posts = [shop.post for shop in self.shops if shop.post.webhooks]
        if not (posts or self.queue or self.workers):
            return False
        for post in posts:
            post.deliver(0)
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
        for remote in self.all_remotes():
            if happens(faults.refuse):
                remote.refused_until = self.now + random.uniform(1.0, 120.0)
        if happens(0.2):
            self.ring(self.ledger.inbox.due(20))
            self.probe()

    def all_remotes(self) -> list[MemoryRemote]:
        return [remote for shop in self.shops for remote in shop.remotes.values()]

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
