"""The timeline of a rating: webhook → plan → write → retry → held → person, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.core.said import joined, said, said_many
from sync_worker.core.values import InboxState, Intent, IntentState
from sync_worker.ledger.ratings.rating_story import DeliveryStep, RatingStory
from sync_worker.services.access.who import Who
from sync_worker.services.ratings import words
from sync_worker.services.ratings.shaping import line_of
from sync_worker.services.ratings.values import Line

OPEN = (InboxState.NEW, InboxState.TAKEN)


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
        # With the blank behind it, #81 is not found in #812; Flower wants three characters.
        exact = f"{number} " if len(number) > 2 else f"{number} {step.side}"
        asked = quote(f'{DELIVERY_TASK} args:"{exact}"')
        url = f"{flower_url.rstrip('/')}/tasks?name={asked}"
    arrived = said("Told %(where)s: %(what)s", where=words.FROM[step.side], what=what)
    if step.change == "decide":
        arrived = said("A person decided about it")
    detail = said("It names our own app.") if step.is_ours else ""
    yield Step(step.received_at, "webhook", arrived, detail, "", number, None, url)
    if step.state in OPEN and step.reason:
        again = said("Waits: %(why)s", why=step.reason.replace("_", " "))
        tries = said_many("%(num)s try so far", "%(num)s tries so far", step.attempts)
        yield Step(step.next_try_at, "retry", again, tries, "", number)
    elif step.ended_at is not None:
        kind = "held" if step.state is InboxState.HELD else "end"
        told = words.ended(step.state, step.reason)
        yield Step(step.ended_at, kind, told, "", "", number)


def _plan(intent: Intent, at: datetime) -> Step:
    targets = [
        f"{name} {value}" if not isinstance(value, str) else name
        for name, value in intent.targets.items()
        if value is not None
    ]
    reasons = list(dict.fromkeys(filter(None, map(words.reason, intent.reasons.values()))))
    operation = words.OPERATIONS.get(intent.operation, str(intent.operation))
    told = said("Planned: %(what)s %(where)s", what=operation, where=words.WHERE[intent.slot.side])
    if targets:
        told = joined(", ", [told, *targets])
    if intent.state is IntentState.ABANDONED:
        reasons.append(said("given up"))
    return Step(at, "plan", told, joined("; ", reasons), "", intent.id[:8])


def _kind_of(line: Line) -> str:
    if line.actor or line.kind in ("drop", "replay"):
        return "person"
    return "held" if line.kind in ("hold", "refused") else "write"
