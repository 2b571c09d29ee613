"""A record refuses our create, and no look shows it: a search that lags, or moderation hides it."""

from __future__ import annotations

from sync_worker.core.errors import Held, Transient
from sync_worker.engine.view import View

DUPLICATE_UNSEEN = "duplicate_unseen"
LINKED_ELSEWHERE = "id_linked_elsewhere"
# Looks a while apart, as a search may lag behind its own refusal; then a person has to know.
MAX_TRIES = 4
LOOK_AGAIN_SECONDS = 20.0


def refusal_by_unseen(view: View) -> Held | Transient:
    """What follows for the deliveries in hand: another try, or a hold."""
    # It shows, and another rating has it on file.
    if view.departures.left:
        return Held(LINKED_ELSEWHERE)
    tries = 1 + max((one.attempts for one in view.run.deliveries), default=0)
    was_held = any(one.reason == DUPLICATE_UNSEEN for one in view.holds.before)
    if was_held or tries >= MAX_TRIES:
        return Held(DUPLICATE_UNSEEN)
    message = "the remote says duplicate but does not show the record yet"
    return Transient(message, retry_after=LOOK_AGAIN_SECONDS)
