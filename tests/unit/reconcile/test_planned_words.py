"""What a plan says of words: each write names the texts that it changes, short and harmless."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.cli.reconcile.show import Summary
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.sweep_values import Finding
from sync_worker.core.values import Draft, EntityRef, Person, Side
from sync_worker.core.values.texts import TextRule
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.planned_writes import NotingRemote, PlannedWrite
from tests.twins.memory_remote import MemoryRemote

TEXTS = dict.fromkeys(("title", "body", "reply"), TextRule())
SHOP = Capabilities(many_fields=True, words=TEXTS)
ADA = Person(email="ada@example.com")


def planned(draft: Draft, reply: str) -> Summary:
    """A summary of an update of the words of a review, and of a reply to it."""
    remote, notes = MemoryRemote(Side.EXTERNAL, SHOP), list[PlannedWrite]()
    remote.visitor_rates(
        EntityRef("mug"), ADA, {"value": Decimal(4)}, texts={"title": "Good", "body": "Sturdy."}
    )
    noting = NotingRemote(remote, notes.append)
    record = next(iter(remote.records.values()))
    noting.update(record.remote_id, draft, record.revision)
    noting.reply(record.remote_id, reply)
    summary = Summary(listing=[])
    for note in notes:
        summary.add(Finding(None, ()), Forecast(note.what, (note,)))
    return summary


def test_plan_tells_the_words_that_it_would_write() -> None:
    words = {"title": "Better\x1b[31m", "body": "Sturdy."}
    draft = Draft(
        {"value": Decimal(4)}, EntityRef("mug"), ADA, words=words, changed=frozenset({"title"})
    )
    summary = planned(draft, "Thank you.")
    assert summary.examples == {
        "update on external": ["e1 value 4, title “Better\\x1b[31m”"],
        "reply on external": ["e1 reply “Thank you.”"],
    }
    assert summary.listing is not None
    assert [one["words"] for one in summary.listing] == [
        {"title": "Better\x1b[31m"},
        {"reply": "Thank you."},
    ]
