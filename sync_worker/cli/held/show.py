"""``ratings-sync held show``: one delivery, and both sides as they are now."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import click

from sync_worker.cli.history import print_history, value_words
from sync_worker.cli.options import JSON, NUMBER, whoever
from sync_worker.cli.output import STAMP, document_of, print_json, print_table
from sync_worker.core.errors import SyncError
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Change, HistoryKind, InboxState, Person, Record, Side
from sync_worker.ledger.administration.held import DeliveryStory
from sync_worker.runtime.waiting import shortly
from sync_worker.wiring import wiring

# Whether the remote knows that this person gave it; it may not say.
VERIFIED = {True: ", verified", False: ", not verified", None: ""}


@click.command()
@click.argument("delivery", type=NUMBER)
@click.option("--offline", is_flag=True, help="Ask neither side: only what the ledger knows.")
@JSON
def show(delivery: int, offline: bool, as_json: bool) -> None:
    """One delivery: both sides as they are now, what the ledger last knew of them, and their
    history.

    \b
    Example: ratings-sync held show 17
    """
    story = wiring().admin.held.story(delivery)
    if story is None:
        click.secho(
            f"there is no delivery {delivery}; `ratings-sync held` lists them", err=True, fg="red"
        )
        raise SystemExit(1)
    now = {} if offline else {str(side): _side_now(story, side) for side in Side}
    if as_json:
        detail = wiring().held_parts.held.detail(whoever(), delivery)
        # As the endpoint shows one that is held; of one that is not there is nothing to add.
        known = {} if detail is None else document_of(detail)
        older = {"delivery": _facts(story), "now": now, "link": _link_facts(story)}
        print_json({**older, "history": story.history, **known})
        return
    for title, facts in {"delivery": _facts(story), **now, "ledger": _link_facts(story)}.items():
        print_table((title, ""), facts.items())
    if story.history:
        print_history(story.history)


def _facts(story: DeliveryStory) -> dict[str, Any]:
    delivery = story.delivery
    received = delivery.received_at
    return {
        "number": delivery.id,
        "state": str(delivery.state),
        "reason": delivery.reason,
        **_meaning(story),
        "side": str(delivery.new.side),
        "source": delivery.new.source,
        "change": delivery.new.change,
        "remote id": delivery.new.remote_id,
        "revision": delivery.new.revision,
        "received (UTC)": received.strftime(STAMP) if received else None,
        "attempts": delivery.attempts,
        "link": delivery.link_id,
        "refused with": _refused_with(story),
    }


def _meaning(story: DeliveryStory) -> dict[str, str]:
    """What the reason says, as the manual and the console say it."""
    if story.delivery.state is not InboxState.HELD:
        return {}
    known = hold_reason(story.delivery.reason)
    return {
        "means": f"{known.title}. {known.sentence}",
        "what to do": known.advice,
        "frees itself when": known.frees_itself,
    }


def _refused_with(story: DeliveryStory) -> str | None:
    """What the remote said last, if it refused a write for this delivery."""
    own = [line.entry for line in story.history if line.entry.inbox_id == story.delivery.id]
    refusals = [entry for entry in own if entry.what == HistoryKind.REFUSED]
    return f"{refusals[-1].side}, {refusals[-1].reason}" if refusals else None


def _link_facts(story: DeliveryStory) -> dict[str, Any]:
    if story.link is None or story.entity is None or story.contact is None:
        return {"link": "none yet: the delivery has not found its entity and person"}
    wix, external = story.entity.wix, story.entity.external
    facts: dict[str, Any] = {
        "state": str(story.link.state),
        "person": f"{story.contact.contact_id} {story.contact.email or ''}".strip(),
        "entity on wix": f"{wix.namespace}/{wix.group}/{wix.entity_id}",
        "entity on external": f"{external.group}/{external.entity_id}".lstrip("/"),
    }
    for name, base in story.link.bases.items():
        wix_value, external_value = value_words(base.wix), value_words(base.external)
        facts[f"last agreed {name}"] = f"wix {wix_value}, external {external_value}"
    return facts


def _side_now(story: DeliveryStory, side: Side) -> dict[str, Any]:
    """What the remote shows at this moment, or why it cannot be asked."""
    if story.site is None:
        return {"record": "cannot be asked: no site is added for this source"}
    try:
        remote = wiring().remotes.connect(story.site).remotes[side]
        shown = {
            f"record {remote_id}": _record_words(record)
            for remote_id, record in _records_of(story, side, remote).items()
        }
    except SyncError as error:
        return {"record": f"cannot be read now: {error}"}
    return shown or {"record": "none"}


def _records_of(story: DeliveryStory, side: Side, remote: Remote) -> dict[str, Record | None]:
    """By id; where no id is known, what a search for the entity and the person finds."""
    ids = _ids_on(story, side)
    if ids:
        return {remote_id: shortly(partial(remote.get, remote_id), time.sleep) for remote_id in ids}
    if story.entity is None or story.contact is None:
        return {}
    person = Person(story.contact.contact_id, email=story.contact.email)
    entity = story.entity.on(side)
    found = shortly(lambda: remote.find(entity, person), time.sleep)
    return {record.remote_id: record for record in found}


def _ids_on(story: DeliveryStory, side: Side) -> list[str]:
    ids = []
    if story.link is not None:
        for slot, known in story.link.records.items():
            if slot.side is side:
                ids.append(known.remote_id)
    new = story.delivery.new
    if (
        new.side is side
        and new.remote_id not in ids
        and new.change in (Change.UPSERT, Change.DELETE)
    ):
        ids.append(new.remote_id)
    return ids


def _record_words(record: Record | None) -> str:
    if record is None:
        return "does not exist (any more)"
    told = [f"{name} {value}" for name, value in record.values.items()]
    told += [f"{name} {value_words(text)}" for name, text in record.words.items() if text]
    values = ", ".join(told)
    revision = "" if record.revision is None else f", revision {record.revision}"
    person = (
        record.person.email or record.person.contact_id or record.person.member_id or "nobody named"
    )
    entity = record.entity.entity_id if record.entity else "nothing named"
    verified = VERIFIED[record.is_verified]
    return f"{values} by {person} for {entity} ({record.state}{revision}{verified})"
