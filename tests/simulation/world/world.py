"""A world from its first act until it has come to rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sync_worker.core.ports.site_sides import PROBE_SECONDS
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import NewDelivery
from tests.simulation.world.going_on import GoingOn
from tests.simulation.world.options import CALM
from tests.simulation.world.owner import Owner
from tests.simulation.world.shop import Shop

SWEEPS = 3


class World(GoingOn):
    """Everything of one run."""

    def run(self) -> None:
        """Acts and chaos, then calm until nothing moves."""
        acts = self.options.acts
        if self.options.due_sweeps_only:
            # None is due before the first comparison.
            self.chance.faults, faults = CALM, self.chance.faults
            self.sweep()
            self.chance.faults = faults
        while acts:
            if self.chance.happens(0.08):
                self._some_shop().act()
                acts -= 1
            self.tick()
        self.settle()

    # -- the end

    def drain(self, rounds: int = 2_000) -> None:
        """Deliver and process everything there is, in so many rounds of half a minute."""
        random = self.chance.random
        for _ in range(rounds):
            for shop in self.shops:
                while shop.post.webhooks:
                    shop.post.deliver_some(random)
            while self.workers or self.queue:
                if self.queue and len(self.workers) < self.options.workers:
                    self.start_worker(self.queue.pop(0))
                self.step_worker(random.randrange(len(self.workers)))
            is_told = not any(shop.post.webhooks for shop in self.shops)
            if is_told and not self.ledger.open_count() and not self.showing:
                return
            self.now += 30.0
            self.notice_clock()
            self._show()
            self.probe()
            self.ring(self.ledger.inbox.due(100))
        raise AssertionError("the world did not come to rest")

    def _restore(self, owner: Owner) -> None:
        """The owner gives back all that lets us in."""
        if not owner.is_installed:
            owner.install()
            self.drain()
        owner.restore()
        self.drain()

    def recover_accounts(self) -> None:
        """Refusals end, and the probe of the minute after that finds out."""
        for shop in self.shops:
            self._restore(shop.owner)
        ends_at = max(remote.refused_until for remote in self.all_remotes())
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
        for shop in self.shops:
            shop.crowd.introduce_all()
        self.drain()
        self.recover_accounts()
        for shop in self.shops:
            if self.options.decisions:
                shop.decider.end(shop.persons, shop.entities)
        self.drain()
        for _ in range(2 * self.options.polls_meanwhile):
            self.poll()
            self.drain()
        shops = self.shops
        if self.options.due_sweeps_only:
            shops = [shop for shop in shops if self.is_sweep_due(shop)]
        believed = 0 if self.options.sweeps else SWEEPS
        for _ in range(2 * SWEEPS):
            if believed == SWEEPS:
                return
            self.sweep(shops)
            self.drain()
            believed = 0 if any(shop.sweeper.disbelieved for shop in self.shops) else believed + 1

    def is_sweep_due(self, shop: Shop) -> bool:
        """Whether one is, however long ago the last one may be."""
        due: bool = self.ledger.sweeps.is_due(shop.site.id, RunKind.SWEEP, math.inf)
        return due

    def sweep(self, shops: Sequence[Shop] | None = None) -> None:
        """The real one, from its beginning or from where one was interrupted, to its end."""
        self._run_alone(RunKind.SWEEP, self.shops if shops is None else shops)

    def poll(self) -> None:
        """What changed on the external side, to the end of the look."""
        self._run_alone(RunKind.POLL, self.shops)

    def _run_alone(self, kind: RunKind, shops: Sequence[Shop]) -> None:
        self.now += 30.0  # the lease of a dead run ends
        for shop in shops:
            self.start_sweep(kind, shop)
            while self.workers:
                self.step_worker(len(self.workers) - 1)

    def replay(self, deliveries: Iterable[NewDelivery]) -> None:
        """Deliver again what was delivered before."""
        self.post.send_again(deliveries)
        self.drain()
