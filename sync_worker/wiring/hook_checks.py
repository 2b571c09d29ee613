"""Rounds of looks at our webhooks: each account is looked at once in HOOK_CHECK_SECONDS.

A round is a minute's; it takes whose last look is longest ago, some at a time, until its time is
over. What is left is the next minute's, so that the looks of many accounts spread by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from sync_worker.ledger.administration.hook_states import HookState
from sync_worker.runtime.celery.site_faults import CHECK_SECONDS, HOOKS, each_for_itself
from sync_worker.wiring.worker import WorkerWiring

# The sweeps of the same task have the rest of its time.
WATCHED_SECONDS = 20.0
SLOTS_SHARE = 4  # looks at a time: one for so many slots, so that webhooks have the others

log = structlog.get_logger(__name__)


def hooks_due(worker: WorkerWiring) -> list[str]:
    """Sources whose last look is long ago. Raises Transient."""
    every_seconds = worker.settings.hook_check_seconds
    known = {name: worker.hook_states.of(name) for name in worker.managed_hooks}
    own = [name for name, state in known.items() if _is_old(state, every_seconds)]
    return [*own, *worker.accounts.hooks_due()]


def hooks_watched(worker: WorkerWiring) -> list[str]:
    """Those to look at sooner: the system still counts the failures of what was enabled again.

    And an account that is new, or that has another address, needs hooks of its own. Raises
    Transient.
    """
    watched = [state.source for state in worker.hook_states.enabled_again() if state.is_due]
    ours = [source for source in watched if "/" in source or source in worker.managed_hooks]
    return list(dict.fromkeys([*ours, *worker.accounts.hooks_changed()]))


def look_at_hooks(
    worker: WorkerWiring,
    sources: Sequence[str],
    is_brought_back: Callable[[], None],
    seconds: float = CHECK_SECONDS,
) -> str:
    """Enable again what was disabled, make what is missing; in words, what was enabled.

    ``is_brought_back``: told of each source with a hook that nobody heard for a while. Raises
    Transient.
    """
    enabled: list[str] = []

    def look(source: str) -> None:
        if topics := _looked_at(worker, source):
            enabled.extend(f"{source} {topic}" for topic in topics)
            is_brought_back()

    each_for_itself(
        worker.site_faults(),
        HOOKS,
        worker.hook_states.longest_first(sources, HOOKS),
        look,
        seconds,
        threads=max(1, worker.settings.slots // SLOTS_SHARE),
    )
    return f"enabled again: {', '.join(enabled)}" if enabled else ""


def _looked_at(worker: WorkerWiring, source: str) -> list[str]:
    """The topics whose webhooks were enabled again."""
    started = time.monotonic()
    check = worker.check_hooks(source)
    worker.hook_states.note_check(
        source,
        working=len(check.working),
        missing=len(check.missing),
        brought_back=len(check.brought_back),
        took_seconds=time.monotonic() - started,
    )
    for hook in check.brought_back:
        log.warning("hook_enabled_again", source=source, topic=hook.topic)
    return [hook.topic for hook in check.brought_back]


def _is_old(state: HookState | None, every_seconds: float) -> bool:
    return state is None or state.checked_ago is None or state.checked_ago >= every_seconds
