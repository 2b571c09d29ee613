"""Moderation on Wix: what is new there waits, and rules or the owner decide about it."""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.core.values import RecordState
from tests.simulation.world.options import Options
from tests.twins.memory_remote import MemoryRemote


def moderate(
    wix: MemoryRemote, options: Options, later: Callable[[Callable[[], None]], None]
) -> None:
    """Make a remote moderate as the options say; ``later``: has something happen some time."""
    wix.new_state = wix.visitors_state = options.new_on_wix
    wix.votes_count, wix.read_only = options.votes_count, options.read_only
    wix.replies_count = options.replies_count
    wix.names_origin, wix.leaves_out = options.names_origin, options.leaves_out
    if options.rules_decide_later:
        wix.decides = lambda remote_id: later(lambda: publish_if_waiting(wix, remote_id))


def moderate_outside(
    remote: MemoryRemote, options: Options, later: Callable[[Callable[[], None]], None]
) -> None:
    """What we create outside may wait for a moderator there."""
    remote.new_state = options.new_outside
    if options.moderators_decide_later:
        remote.decides = lambda remote_id: later(lambda: publish_if_waiting(remote, remote_id))


def publish_if_waiting(wix: MemoryRemote, remote_id: str) -> None:
    """The rules of the site have nothing against a record that nobody has decided about."""
    record = wix.records.get(remote_id)
    if record is not None and record.state is RecordState.PENDING:
        wix.moderator_sets(remote_id, RecordState.PUBLISHED)
