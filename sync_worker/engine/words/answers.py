"""What the answer to a write says of its words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.values import Intent, Record, Value
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.view import View, is_lost


def shown_after(
    view: View, write: SlotWrite, shown: Mapping[str, Value | None]
) -> dict[str, Value | None]:
    """What a record shows of each attribute after a write; words that it does not tell, as sent."""
    values, words = dict(shown), view.carried.words
    after = view.record_views[write.slot]
    # gone
    if after.remote_id is None:
        return values
    for name, sent in write.targets.items():
        if name in words:
            # also what nobody sees yet: a text is none the less there
            values[name] = after.hidden.get(name, sent)
    return values


def is_left_to_remote(view: View, name: str) -> bool:
    """Whether what a remote made of our words counts as them: it takes what it can hold."""
    field = view.carried.words.get(name)
    return field is not None and field.cuts


def has_more_to_say(view: View, intent: Intent) -> bool:
    """Whether a record shows something, beside what a write changed, that has not crossed yet.

    Stars and words of a record cross one after the other, where they go different ways.
    """
    side, shown = intent.slot.side, view.record_views[intent.slot].values
    return any(
        is_lost(view, name, side, text)
        for name, text in shown.items()
        if name not in intent.targets
    )


def tells_more(view: View, intent: Intent, record: Record) -> bool:
    """Whether it shows values that we neither wrote nor knew.

    Then somebody made the very record that we wanted to make.
    """
    shown = view.seen_as(intent.slot, record).values
    return any(
        is_lost(view, name, intent.slot.side, value)
        for name, value in shown.items()
        if name not in intent.targets
    )
