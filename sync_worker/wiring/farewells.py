"""Our webhooks go from shops that we leave, and come back with those that come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from sync_worker.runtime.celery.site_faults import FAREWELL, HOOKS, OLD_SHOP, each_for_itself
from sync_worker.wiring.worker import WorkerWiring

ROUND_SECONDS = 15.0  # of each kind of farewell; well below the broker's visibility time-out
Left = TypeVar("Left")


class Leaving(Protocol[Left]):
    """What is to be taken away; ``Left``: where."""

    def due(self, work: str) -> Mapping[str, Left]:
        """By source. ``work``: the word for it among faults. Raises Transient."""

    def say(self, left: Left) -> int:
        """How many webhooks went. Raises SyncError: it is tried again."""


def say_farewells(worker: WorkerWiring) -> str:
    """A round of them, and of those who come back; in words, what was done. Raises Transient."""
    wiped = _round(worker, FAREWELL, worker.farewells)
    left = [
        *_round(worker, FAREWELL, worker.own_hooks),
        *_round(worker, OLD_SHOP, worker.old_shops),
    ]
    back = _come_back(worker)
    said = {
        f"{len(wiped)} accounts wiped, {sum(wiped)} webhooks removed": wiped,
        f"{len(left)} shops left, {sum(left)} webhooks removed": left,
        f"webhooks made again: {', '.join(back)}": back,
    }
    return "; ".join(words for words, done in said.items() if done)


def _round(worker: WorkerWiring, work: str, leaving: Leaving[Left]) -> list[int]:
    removed: list[int] = []
    leavers = leaving.due(work)
    if leavers:
        each_for_itself(
            worker.site_faults(),
            work,
            worker.hook_states.longest_first(leavers, work),
            lambda source: removed.append(leaving.say(leavers[source])),
            ROUND_SECONDS,
        )
    return removed


def _come_back(worker: WorkerWiring) -> list[str]:
    own, made = worker.own_hooks, list[str]()
    back = own.back()

    def make_again(source: str) -> None:
        own.make_again(source, back[source])
        made.append(source)

    if back:
        each_for_itself(worker.site_faults(), HOOKS, sorted(back), make_again, ROUND_SECONDS)
    return made
