"""Sites side by side in one worker, where every call takes its time: who waits for whom."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from greenlet import getcurrent, greenlet

from tests.simulation.world import CALM, Options, Shop, World
from tests.twins.memory_ledger import memory_ledger

CALL_SECONDS, HANG_SECONDS = 0.1, 8.0
TURN_SECONDS = 5.0  # between two turns of the sweeper
RUNG_AT_ONCE = 16  # in one turn
THREADS = 6
MANY, RATINGS = 48, 3  # of a site that floods or hangs; of a quiet one
# Each person rates every product once.
FEW = Options(CALM, sites=5, people=8, entities=6, workers=THREADS, slots=THREADS)
# Of a rating whose doorbell did not ring: until it is due, a turn, and what it does itself.
MOST_SECONDS = 5.0 + TURN_SECONDS + 1.0


class Neighbours:
    """One site hangs, one floods, the others are quiet, and no doorbell rings.

    The sweeper alone finds what is due. Time passes in calls of remotes and between its turns.
    """

    def __init__(self, options: Options = FEW) -> None:
        self.world = World(0, options, memory_ledger)
        self.hanging, self.flooding, *self.quiet = self.world.shops
        self._goes_on_at: dict[greenlet, float] = {}
        self._turn_at = 0.0
        self._is_over = False
        for shop in self.world.shops:
            for remote in shop.remotes.values():
                remote.fault = partial(self._take_time, shop)

    def _take_time(self, shop: Shop, operation: str) -> str | None:
        """What a call meets, after its time."""
        if operation == "reserve_request" or self._is_over:
            return None
        worker, hangs = getcurrent(), shop is self.hanging
        goes_on_at = self.world.now + (HANG_SECONDS if hangs else CALL_SECONDS)
        self._goes_on_at[worker] = goes_on_at
        while self.world.now < goes_on_at and not self._is_over:
            assert worker.parent is not None
            worker.parent.switch()
        del self._goes_on_at[worker]
        return "request_lost" if hangs else None

    # -- what people do

    def play(self) -> None:
        """The flood and what hangs come first, then the quiet sites every now and then."""
        began_at = self.world.now
        for number in range(MANY):
            self._rate(self.flooding, number)
            self._rate(self.hanging, number)
        for number in range(RATINGS):
            self._until(began_at + 1.0 + number * 7.0)
            for shop in self.quiet:
                self._rate(shop, number)
        self._until(self.world.now + 2 * MOST_SECONDS)

    def _rate(self, shop: Shop, number: int) -> None:
        """Somebody rates something on Wix for the first time; the doorbell does not ring."""
        thing, person = divmod(number, len(shop.persons))
        value = {"overall": Decimal(80)}
        shop.wix.visitor_rates(shop.entities[thing][0], shop.persons[person], value)
        rung = list(self.world.queue)
        # Echoes of what was brought before come along.
        while shop.post.webhooks:
            shop.post.deliver(0)
        self.world.queue = rung

    # -- time

    def _until(self, moment: float) -> None:
        while self.world.now < moment:
            if not self._act():
                self.world.now = min([moment, self._turn_at, *self._goes_on_at.values()])

    def _act(self) -> bool:
        """Do something that takes no time. False: there is nothing."""
        world = self.world
        if world.now >= self._turn_at:
            self._turn_at = world.now + TURN_SECONDS
            world.ring(world.ledger.inbox.due(RUNG_AT_ONCE))
        if world.queue and len(world.workers) < THREADS:
            world.start_worker(world.queue.pop(0))
        for place, worker in enumerate(world.workers):
            if self._goes_on_at.get(worker, 0.0) <= world.now:
                world.step_worker(place)
                return True
        return False

    def end(self) -> None:
        """Nothing hangs any more, and everything comes to its end."""
        self._is_over = True
        self.world.settle()
