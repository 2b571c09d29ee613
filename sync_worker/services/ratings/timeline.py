"""The timeline of a rating: webhook → plan → write → retry → held → person, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from sync_worker.core.values import InboxState, Intent, IntentState, Side
from sync_worker.ledger.ratings.rating_story import DeliveryStep, RatingStory
from sync_worker.services.access.who import Who
from sync_worker.services.ratings import words
from sync_worker.services.ratings.shaping import line_of
from sync_worker.services.ratings.values import Line

OPEN = (InboxState.NEW, InboxState.TAKEN)
TASK = "sync_worker.tasks.sync_delivery"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``kind``: webhook | plan | write | retry | held | end | person.

    ``line``: of the history, with its values. ``tasks_url``: its tasks in Flower.
    """

    at: datetime
    kind: str
    words: str
    detail: str = ""
    actor: str = ""
    number: str = ""
    line: Line | None = None
    tasks_url: str = ""


def timeline(who: Who, story: RatingStory, flower_url: str) -> tuple[Step, ...]:
    """All steps, the newest first; of one moment in the order in which they follow each other."""
    steps: list[Step] = []
    for delivery in story.deliveries:
        steps += steps_of_delivery(delivery, flower_url)
    for intent, at in story.intents:
        steps.append(_plan(intent, at))
    for line in story.lines:
        shown = line_of(who, line, story.row)
        kind = _kind_of(shown)
        steps.append(Step(line.at, kind, shown.what, shown.why, shown.actor, shown.number, shown))
    order = ("webhook", "plan", "write", "retry", "person", "held", "end")
    return tuple(sorted(steps, key=lambda one: (one.at, order.index(one.kind)), reverse=True))


def steps_of_delivery(step: DeliveryStep, flower_url: str) -> Iterator[Step]:
    """Its arrival, its tries, and how it ended or why it waits."""
    number = f"#{step.inbox_id}"
    what = words.CHANGES.get(step.change, step.change.replace("_", " "))
    url = ""
    if flower_url:
        asked = quote(f"{TASK} args:{number}")
        url = f"{flower_url.rstrip('/')}/tasks?name={asked}"
    arrived = f"Told {words.FROM[step.side]}: {what}"
    if step.change == "decide":
        arrived = "A person decided about it"
    detail = "It names our own app." if step.is_ours else ""
    yield Step(step.received_at, "webhook", arrived, detail, "", number, None, url)
    if step.state in OPEN and step.reason:
        again = f"Waits: {step.reason.replace('_', ' ')}"
        yield Step(step.next_try_at, "retry", again, f"{step.attempts} tries so far", "", number)
    elif step.ended_at is not None:
        kind = "held" if step.state is InboxState.HELD else "end"
        told = words.ended(step.state, step.reason)
        yield Step(step.ended_at, kind, told, "", "", number)


def _plan(intent: Intent, at: datetime) -> Step:
    where = "on Wix" if intent.slot.side is Side.WIX else "outside"
    targets = [
        f"{name} {value}" if not isinstance(value, str) else name
        for name, value in intent.targets.items()
        if value is not None
    ]
    reasons = "; ".join(dict.fromkeys(filter(None, intent.reasons.values())))
    told = f"Planned: {intent.operation} {where}"
    if targets:
        told = f"{told}, {', '.join(targets)}"
    if intent.state is IntentState.ABANDONED:
        reasons = f"{reasons}; given up" if reasons else "given up"
    return Step(at, "plan", told, reasons, "", intent.id[:8])


def _kind_of(line: Line) -> str:
    if line.actor or line.kind in ("drop", "replay"):
        return "person"
    return "held" if line.kind in ("hold", "refused") else "write"
