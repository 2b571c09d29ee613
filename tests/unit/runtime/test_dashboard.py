"""What Flower shows: a delivery's rating and end, and only those ticks that did something."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.events.state import Task as SeenTask
from celery.worker.request import create_request_cls

from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.values import Change, Delivery, NewDelivery, Side
from sync_worker.runtime.celery.dashboard import (
    EVENTS,
    DeliveryRequest,
    Postponed,
    Shown,
    Tick,
    short,
    told,
)


def a_task(returned: str, **options: Any) -> Any:
    app = Celery("test", set_as_current=False)
    app.conf.update(broker_url="memory://")

    def work() -> str:
        return returned

    # Of this application alone: a shared one would come into every other that a test makes.
    return app.task(work, name="work", shared=False, **options)


def a_delivery(remote_id: str = "4711", source: str = "own-service") -> Delivery:
    new = NewDelivery(
        side=Side.EXTERNAL,
        source=source,
        dedupe_id="d",
        change=Change.UPSERT,
        remote_id=remote_id,
        payload={"author": "ada@example.com"},
    )
    return Delivery(812, new)


def end_of(outcome: Outcome, delivery: Delivery | None = None) -> tuple[str, dict[str, Any]]:
    opened = [] if delivery is None else [(delivery, None)]
    return told({"result": repr(Shown(812, outcome, opened)), "runtime": 0.1})


def test_delivery_is_shown_by_site_side_change_and_short_ids() -> None:
    event, fields = end_of(Outcome(OutcomeKind.HELD, "unknown_entity"), a_delivery("47110815-abc"))
    assert event == "task-failed"
    assert fields["args"] == "#812 external upsert 47110815 · site own-serv"
    assert fields["result"] == fields["exception"] == "held unknown_entity"
    assert "traceback" not in fields
    assert fields["runtime"] == 0.1


def test_delivery_that_could_not_be_read_is_shown_by_its_number() -> None:
    event, fields = end_of(Outcome(OutcomeKind.POSTPONED))
    assert (event, fields["args"]) == ("task-retried", "#812 not read")


def test_only_what_is_in_step_is_a_success() -> None:
    by_event: dict[str, set[str]] = {}
    for kind in OutcomeKind:
        by_event.setdefault(end_of(Outcome(kind, "why"))[0], set()).add(kind)
    assert by_event == {
        "task-succeeded": {"synced", "in_step", "suppressed"},
        "task-ignored": {"done", "superseded", "closed_already"},
        "task-failed": {"held", "failed"},
        "task-retried": set(OutcomeKind)
        - {"synced", "in_step", "suppressed", "done", "superseded", "closed_already"}
        - {"held", "failed"},
    }
    assert set(EVENTS) == set(OutcomeKind)


@pytest.mark.parametrize("remote_id", ["ada@example.com", "Ada Lovelace", "+491701234567", "é"])
def test_id_that_may_be_a_person_is_shown_as_a_digest(remote_id: str) -> None:
    assert short(remote_id).startswith("#")
    assert len(short(remote_id)) == 9
    assert remote_id[:3] not in short(remote_id)


def test_celery_sends_the_end_by_the_request() -> None:
    """Its own optimised request is made from ours, and asks it to send what it has to tell."""
    task = a_task("", Request=DeliveryRequest, acks_late=False)
    pool = SimpleNamespace(apply_async=None)
    sent: list[tuple[str, dict[str, Any]]] = []
    eventer = SimpleNamespace(
        enabled=True, send=lambda event, **fields: sent.append((event, fields))
    )
    made = create_request_cls(DeliveryRequest, task, pool, "worker1@here", eventer, app=task.app)
    headers, properties, body, _ = task.app.amqp.as_task_v2("an-id", task.name, args=[812])
    message = SimpleNamespace(headers=headers, properties=properties, delivery_info={}, body=body)
    known = {"app": task.app, "task": task, "eventer": eventer, "decoded": True}
    request = made(message, **known)
    request.send_event("task-started")
    text = repr(Shown(812, Outcome(OutcomeKind.RETRY), [(a_delivery(), None)]))
    request.on_success((False, text, 0.2))
    assert [event for event, _ in sent] == ["task-started", "task-retried"]
    assert sent[1][1]["uuid"] == "an-id"
    seen = SeenTask(uuid="an-id")
    for stamp, (event, fields) in enumerate(sent, 1):
        seen.event(event.removeprefix("task-"), stamp, stamp, dict(fields))
    assert (seen.state, seen.result) == ("RETRY", "retry")
    assert seen.args == "#812 external upsert 4711 · site own-serv"


@pytest.mark.parametrize(
    ("returned", "shown"),
    [
        ("", []),
        ("rang for 3 deliveries", [("task-succeeded", "rang for 3 deliveries")]),
        (
            Postponed("the database did not answer"),
            [("task-retried", "the database did not answer")],
        ),
    ],
)
def test_tick_is_shown_when_it_did_something(returned: str, shown: list[tuple[str, str]]) -> None:
    tick = a_task(returned, base=Tick)
    sent: list[tuple[str, Any]] = []
    tick.send_event = lambda event, **fields: sent.append((event, fields.get("result")))
    tick.apply()
    assert sent == shown
    assert tick.send_events is False


def test_tick_whose_row_cannot_be_sent_has_done_its_work() -> None:
    tick = a_task("rang for 3 deliveries", base=Tick)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    tick.send_event = refuse
    assert tick.apply().state == "SUCCESS"
