"""The ports as the engine meets them: each call is a place where the world may step in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.remote import Connection, Page
from sync_worker.core.values import Record, Side
from tests.simulation.tries import TryingRemote
from tests.simulation.world.options import Options
from tests.simulation.world.stepping import Stepping
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote

PORTS_OF_THE_LEDGER = (
    "inbox",
    "directory",
    "links",
    "merges",
    "sites",
    "site_sides",
    "unlinked",
)


class Ports:
    """``step``: told of each place. ``refuse_again``: which refusal, if any, a later try meets."""

    def __init__(
        self,
        options: Options,
        remotes: Mapping[Side, MemoryRemote],
        step: Callable[[str], None],
        refuse_again: Callable[[], int | None],
    ) -> None:
        self._options, self._remotes = options, remotes
        self._step, self._refuse_again = step, refuse_again
        self._external = remotes[Side.EXTERNAL]

    def connection(self, people: MemoryPeople) -> Connection:
        remotes = {side: Stepping(self._called(side), self._step, str(side)) for side in Side}
        changed = self._changed if self._options.lists_changes else None
        probes = {side: remote.probe for side, remote in self._remotes.items()}
        return Connection(remotes, people, self._children, changed, probes)

    def ledger(self, ledger: Any, note: Callable[[str, tuple[Any, ...]], None]) -> Ledger:
        """``note``: told of each call that has worked."""
        return Ledger(
            **{
                port: Stepping(getattr(ledger, port), self._step, "ledger", note)
                for port in PORTS_OF_THE_LEDGER
            }
        )

    def _called(self, side: Side) -> Any:
        """A remote, as the engine calls it."""
        remote = self._remotes[side]
        if not self._options.tries_again:
            return remote
        between = partial(self._step, f"between tries of {side}")
        return TryingRemote(remote, between, self._refuse_again)

    def _children(self, parent_id: str) -> Iterator[Record]:
        self._step("before external.children")
        yield from self._external.children(parent_id)
        self._step("after external.children")

    def _changed(self, since: datetime | None, cursor: str | None) -> Page:
        self._step("before external.changed")
        page = self._external.changed_page(since, cursor)
        self._step("after external.changed")
        return page
