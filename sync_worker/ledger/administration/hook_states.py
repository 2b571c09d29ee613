"""Whether our webhooks at each external system work: table ``hook_state``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from sync_worker.ledger.process_tables import hook_state, site_fault
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

# A system that disabled a hook counts on: one more failure, and it is disabled again.
WATCHED_SECONDS = 3600.0
FIRST_WATCH_SECONDS = 60.0
# Where hooks are disabled again and again, something else is wrong: each look waits twice as long.
MAX_DOUBLINGS = 4


@dataclass(frozen=True, slots=True)
class HookState:
    """What is known of the webhooks of one connector; times in seconds ago, ``None``: never.

    ``enabled_again``: looks in a row that found one disabled.
    """

    source: str
    heard_ago: float | None
    checked_ago: float | None
    working: int
    missing: int
    enabled_again: int
    enabled_again_ago: float | None

    @property
    def is_watched(self) -> bool:
        """Whether a hook was disabled lately, and may be again."""
        return self.enabled_again_ago is not None and self.enabled_again_ago < WATCHED_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether what is watched should be looked at now."""
        doublings = min(max(self.enabled_again - 1, 0), MAX_DOUBLINGS)
        pause = FIRST_WATCH_SECONDS * 2**doublings
        return self.is_watched and (self.checked_ago is None or self.checked_ago >= pause)


class SqlHookStates:
    """Notes what the gateway hears and what checks find; answers ``status`` and ``doctor``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def note_heard(self, source: str) -> None:
        """The system has reached the gateway, with a greeting or with a verified delivery."""
        with self._transactions.write() as connection:
            _put(connection, source, {"heard_at": ledger_now()})

    def note_check(
        self,
        source: str,
        *,
        working: int,
        missing: int,
        brought_back: int,
        took_seconds: float = 0.0,
    ) -> None:
        """A look at the hooks of a connector; ``brought_back``: those that had been disabled.

        ``took_seconds``: an account that was changed meanwhile is looked at again.
        """
        known = self.of(source)
        values: dict[str, Any] = {
            "checked_at": ledger_now() - took_seconds,
            "working": working,
            "missing": missing,
        }
        if brought_back:
            values["enabled_again"] = known.enabled_again + 1 if known is not None else 1
            values["enabled_again_at"] = ledger_now()
        elif known is not None and not known.is_watched:
            values["enabled_again"] = 0
        with self._transactions.write() as connection:
            _put(connection, source, values)

    def all(self) -> list[HookState]:
        """Of every connector that anything is known of."""
        with self._transactions.read() as connection:
            rows = connection.execute(_states().order_by(hook_state.c.source)).all()
        return [_state(row) for row in rows]

    def enabled_again(self) -> list[HookState]:
        """Of those that the system had disabled, and that were enabled again."""
        had_one = hook_state.c.enabled_again_at.is_not(None)
        with self._transactions.read() as connection:
            rows = connection.execute(_states().where(had_one)).all()
        return [_state(row) for row in rows]

    def longest_first(self, sources: Collection[str], work: str) -> list[str]:
        """The sources whose hooks nobody has tried to look at for longest come first.

        ``work``: the word for such checks among faults. Each source once.
        """
        checks = select(hook_state.c.source, hook_state.c.checked_at).where(
            hook_state.c.source.in_(sources), hook_state.c.checked_at.is_not(None)
        )
        failures = select(site_fault.c.source, site_fault.c.failed_at).where(
            site_fault.c.source.in_(sources), site_fault.c.work == work
        )
        tried = dict.fromkeys(sources, 0.0)
        with self._transactions.read() as connection:
            for looks in (checks, failures):
                for source, at in connection.execute(looks):
                    tried[source] = max(tried[source], at)
        return sorted(tried, key=tried.__getitem__)

    def of(self, source: str) -> HookState | None:
        """Of one connector; ``None``: nothing is known."""
        with self._transactions.read() as connection:
            row = connection.execute(_states().where(hook_state.c.source == source)).first()
        return _state(row) if row is not None else None


def last_try() -> ColumnElement[float]:
    """When somebody last tried to look at hooks, well or in vain; 0: never.

    Of a row of ``hook_state`` and one of ``site_fault``, either of which may be missing.
    """
    looked = func.coalesce(hook_state.c.checked_at, 0.0)
    failed = func.coalesce(site_fault.c.failed_at, 0.0)
    return case((failed > looked, failed), else_=looked)


def hook_words(state: HookState) -> str:
    """The state of the hooks of one connector, for people."""
    words = []
    if state.checked_ago is not None:
        words.append(f"{state.working} enabled, looked at {state.checked_ago:.0f} s ago")
    if state.missing:
        words.append(f"{state.missing} missing")
    if state.is_watched:
        words.append(
            f"disabled by the system and enabled again {state.enabled_again_ago:.0f} s ago"
        )
    if state.heard_ago is None:
        words.append("nothing has reached the gateway yet")
    else:
        words.append(f"heard of {state.heard_ago:.0f} s ago")
    return "; ".join(words)


def _put(connection: Connection, source: str, values: dict[str, Any]) -> None:
    new = insert_into(connection, hook_state).values(source=source, **values)
    connection.execute(new.on_conflict_do_update(index_elements=["source"], set_=values))


def _states() -> Any:
    def ago(column: Any) -> Any:
        return (ledger_now() - column).label(f"{column.name}_ago")

    table = hook_state.c
    return select(
        hook_state, ago(table.heard_at), ago(table.checked_at), ago(table.enabled_again_at)
    )


def _state(row: Any) -> HookState:
    return HookState(
        row.source,
        row.heard_at_ago,
        row.checked_at_ago,
        row.working,
        row.missing,
        row.enabled_again,
        row.enabled_again_at_ago,
    )
