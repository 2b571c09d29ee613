"""Ratings and what happened to them, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync_worker.core.hold_reasons import HOLD_REASONS
from sync_worker.core.values import HistoryEntry, HistoryKind, InboxState, LinkState, Side, Value
from sync_worker.ledger.ratings.rating_rows import LinkRow, UnlinkedRow

WHERE: Mapping[Side | None, str] = MappingProxyType(
    {Side.WIX: "on Wix", Side.EXTERNAL: "outside", None: ""}
)
FROM: Mapping[Side, str] = MappingProxyType({Side.WIX: "from Wix", Side.EXTERNAL: "from outside"})
SIDES: Mapping[Side, str] = MappingProxyType({Side.WIX: "Wix", Side.EXTERNAL: "the other side"})
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "upsert": "the rating was made or changed",
        "delete": "the rating was deleted",
        "erase": "a person asked to be forgotten",
        "create_failed": "the rating was not made after all",
        "decide": "a person decided about it",
    }
)
ENDS: Mapping[str, str] = MappingProxyType(
    {
        "synced": "brought over",
        "in_step": "both sides were in step already",
        "stale": "told nothing new",
        "buried": "the rating is gone",
        "erased": "erased on request",
        "not_published": "it is not published",
        "not_linked": "nothing of it had crossed",
        "entity_skipped": "its product is not mapped, and by policy such ratings are left out",
        "contact_skipped": "nobody on Wix has the address, and by policy such ratings are left out",
        "anonymous_skipped": "a visitor without a name rated, and by policy that is left out",
        "no_email_skipped": "it names no address, and by policy such ratings are left out",
        "dropped": "a person dropped it",
        "overtaken": "a newer change was there already",
        "moved": "the record belongs to another rating now",
        "shadowed": "a newer record of the same person stands for it",
        "attribute_not_mapped": "the field is not mapped",
        "other_wix_api": "it is of the API of Wix that the site does not use",
    }
)
DONE: Mapping[HistoryKind, str] = MappingProxyType(
    {
        HistoryKind.CREATE: "Made {where}",
        HistoryKind.UPDATE: "Changed {where}",
        HistoryKind.DELETE: "Deleted {where}",
        HistoryKind.WITHDRAW: "Taken out of sight {where}",
        HistoryKind.APPROVE: "Published {where}",
        HistoryKind.REPLY: "The owner's reply set {where}",
        HistoryKind.PRIVACY_DELETE: "Erased {where}, as the person had asked",
        HistoryKind.MERGE: "Two people became one",
        HistoryKind.GAP: "An edit {where} may have been covered",
        HistoryKind.UNKNOWN: "Whether a write {where} arrived is not known",
        HistoryKind.HOLD: "Held for a person",
        HistoryKind.IGNORE: "Left as it is, by policy",
        HistoryKind.SHADOW: "An older record {where} set behind a newer one",
        HistoryKind.MOVE: "A record {where} went to another rating",
        HistoryKind.DROP: "Dropped by a person",
        HistoryKind.REPLAY: "Released by a person",
        HistoryKind.REFUSED: "Refused {where}",
    }
)


def done(entry: HistoryEntry) -> str:
    """What a line of the history tells, without its values."""
    words = DONE.get(entry.what)
    if words is None:
        return str(entry.what).replace("_", " ").capitalize()
    return " ".join(words.format(where=WHERE[entry.side]).split())


def why(entry: HistoryEntry) -> str:
    """The reason of a line: of a hold its title, else the words on file."""
    if entry.what in (HistoryKind.HOLD, HistoryKind.IGNORE):
        return title_of(entry.reason)
    return entry.reason


def title_of(reason: str) -> str:
    """A hold's reason in a few words; what is none stands as it is."""
    known = HOLD_REASONS.get(reason)
    return reason.replace("_", " ") if known is None else known.title


def standing(row: LinkRow) -> tuple[str, str]:
    """A word for how a rating stands, and a sentence."""
    state, records = row.link.state, row.link.records
    on_wix = any(slot.side is Side.WIX for slot in records)
    outside = any(slot.side is Side.EXTERNAL for slot in records)
    reasons = "; ".join(title_of(reason) for reason in row.held)
    if state is LinkState.BURIED:
        return "gone", "It is gone on both sides."
    if state is LinkState.HELD:
        return "stopped", f"It stands still until a person decides: {reasons or 'held'}."
    if row.held:
        return "held", f"Something of it is held: {reasons}."
    if row.open:
        return "waiting", "A change of it is on its way."
    if on_wix and outside:
        return "in_step", "Both sides are in step."
    if on_wix or outside:
        only = "Wix" if on_wix else "the other side"
        return "one_side", f"Only {only} has it."
    return "empty", "Neither side has a record of it yet."


def not_linked(row: UnlinkedRow) -> str:
    """Why a delivery has not come to a rating: the end of *Not linked yet because …*."""
    title = title_of(row.reason)
    if row.state is InboxState.HELD:
        return title[:1].lower() + title[1:]
    if row.state in (InboxState.NEW, InboxState.TAKEN) and row.reason:
        return f"it is tried again by itself: {row.reason.replace('_', ' ')}"
    if row.state in (InboxState.NEW, InboxState.TAKEN):
        return "no worker has looked at it yet"
    return ENDS.get(row.reason, row.reason.replace("_", " ") or "it has ended")


def ended(state: InboxState, reason: str) -> str:
    """How a delivery ended, or why it waits."""
    if state is InboxState.HELD:
        return f"Held: {title_of(reason)}"
    if state is InboxState.SUPPRESSED:
        return "Known as the echo of our own write"
    if state is InboxState.SUPERSEDED:
        return "Ended with a newer one"
    told = ENDS.get(reason, reason.replace("_", " "))
    return f"Done: {told}" if told else "Done"


def told(value: Value | None) -> str | None:
    """A value as text; ``None``: there is none."""
    return None if value is None else str(value)
