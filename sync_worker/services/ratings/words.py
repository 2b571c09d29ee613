"""Ratings and what happened to them, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync_worker.core.hold_reasons import HOLD_REASONS
from sync_worker.core.said import Said, joined, marked, said, within
from sync_worker.core.values import HistoryEntry, HistoryKind, InboxState, LinkState, Side, Value
from sync_worker.ledger.ratings.rating_rows import LinkRow, UnlinkedRow

WHERE: Mapping[Side | None, str] = MappingProxyType(
    {Side.WIX: said("on Wix"), Side.EXTERNAL: said("outside"), None: ""}
)
FROM: Mapping[Side, str] = MappingProxyType(
    {Side.WIX: said("from Wix"), Side.EXTERNAL: said("from outside")}
)
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "upsert": said("the rating was made or changed"),
        "delete": said("the rating was deleted"),
        "erase": said("a person asked to be forgotten"),
        "create_failed": said("the rating was not made after all"),
        "decide": said("a person decided about it"),
    }
)
ENDS: Mapping[str, str] = MappingProxyType(
    {
        "synced": said("brought over"),
        "in_step": said("both sides were in step already"),
        "stale": said("told nothing new"),
        "buried": said("the rating is gone"),
        "erased": said("erased on request"),
        "not_published": said("it is not published"),
        "not_linked": said("nothing of it had crossed"),
        "entity_skipped": said(
            "its product is not mapped, and by policy such ratings are left out"
        ),
        "contact_skipped": said(
            "nobody on Wix has the address, and by policy such ratings are left out"
        ),
        "anonymous_skipped": said("a visitor without a name rated, and by policy that is left out"),
        "no_email_skipped": said("it names no address, and by policy such ratings are left out"),
        "dropped": said("a person dropped it"),
        "overtaken": said("a newer change was there already"),
        "moved": said("the record belongs to another rating now"),
        "shadowed": said("a newer record of the same person stands for it"),
        "attribute_not_mapped": said("the field is not mapped"),
        "other_wix_api": said("it is of the API of Wix that the site does not use"),
    }
)
DONE: Mapping[HistoryKind, str] = MappingProxyType(
    {
        HistoryKind.CREATE: marked("Made %(where)s"),
        HistoryKind.UPDATE: marked("Changed %(where)s"),
        HistoryKind.DELETE: marked("Deleted %(where)s"),
        HistoryKind.WITHDRAW: marked("Taken out of sight %(where)s"),
        HistoryKind.APPROVE: marked("Published %(where)s"),
        HistoryKind.REPLY: marked("The owner's reply set %(where)s"),
        HistoryKind.PRIVACY_DELETE: marked("Erased %(where)s, as the person had asked"),
        HistoryKind.MERGE: marked("Two people became one"),
        HistoryKind.GAP: marked("An edit %(where)s may have been covered"),
        HistoryKind.UNKNOWN: marked("Whether a write %(where)s arrived is not known"),
        HistoryKind.HOLD: marked("Held for a person"),
        HistoryKind.IGNORE: marked("Left as it is, by policy"),
        HistoryKind.SHADOW: marked("An older record %(where)s set behind a newer one"),
        HistoryKind.MOVE: marked("A record %(where)s went to another rating"),
        HistoryKind.DROP: marked("Dropped by a person"),
        HistoryKind.REPLAY: marked("Released by a person"),
        HistoryKind.REFUSED: marked("Refused %(where)s"),
    }
)

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "create": said("create"),
        "update": said("update"),
        "delete": said("delete"),
        "withdraw": said("withdraw"),
        "approve": said("approve"),
        "reply": said("reply"),
    }
)
# Why the plan, or the engine, did what it did.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "changed": said("it had changed on the other side"),
        "conflict_latest": said("both sides had changed: the later change counts"),
        "conflict_wix": said("both sides had changed: by policy Wix is right"),
        "conflict_external": said("both sides had changed: by policy the other side is right"),
        "first_difference_wix": said("both differed at first: by policy Wix is right"),
        "first_difference_external": said(
            "both differed at first: by policy the other side is right"
        ),
        "scale_changed_wix": said("the scale has changed: by policy Wix is right"),
        "scale_changed_external": said("the scale has changed: by policy the other side is right"),
        "edit_wins": said("deleted here and edited there: by policy the edit counts"),
        "delete_wins": said("deleted here and edited there: by policy the delete counts"),
        "direction": said("by policy nothing is written in the other direction"),
        "deletes": said("by policy deletes do not cross"),
        "privacy": said("its person asked for that"),
        "rejected_import": said("the owner has rejected it on Wix"),
        "edited just before the record was deleted": said(
            "edited just before the record was deleted"
        ),
        "the answer was lost and nothing tells the outcome": said(
            "the answer was lost and nothing tells the outcome"
        ),
        "edited while a write of unknown outcome was on its way": said(
            "edited while a write of unknown outcome was on its way"
        ),
        "edited just before our own write, which covered it unseen": said(
            "edited just before our own write, which covered it unseen"
        ),
    }
)


def done(entry: HistoryEntry) -> str:
    """What a line of the history tells, without its values."""
    words = DONE.get(entry.what)
    if words is None:
        return str(entry.what).replace("_", " ").capitalize()
    told = said(words, where=WHERE[entry.side])
    # Of neither side: without the blank before it.
    return Said(" ".join(told.split()), told.form)


def why(entry: HistoryEntry) -> str:
    """The reason of a line: of a hold its title, else the words on file."""
    if entry.what in (HistoryKind.HOLD, HistoryKind.IGNORE):
        return title_of(entry.reason)
    return reason(entry.reason)


def reason(on_file: str) -> str:
    """Why something was done; what is no word of ours stands as it is on file."""
    return REASONS.get(on_file, on_file)


def title_of(reason: str) -> str:
    """A hold's reason in a few words; what is none stands as it is."""
    known = HOLD_REASONS.get(reason)
    return reason.replace("_", " ") if known is None else said(known.title)


def standing(row: LinkRow) -> tuple[str, str]:
    """A word for how a rating stands, and a sentence."""
    state, records = row.link.state, row.link.records
    on_wix = any(slot.side is Side.WIX for slot in records)
    outside = any(slot.side is Side.EXTERNAL for slot in records)
    reasons = joined("; ", [title_of(reason) for reason in row.held])
    if state is LinkState.BURIED:
        return "gone", said("It is gone on both sides.")
    if state is LinkState.HELD:
        why = reasons or said("held")
        return "stopped", said("It stands still until a person decides: %(why)s.", why=why)
    if row.held:
        return "held", said("Something of it is held: %(why)s.", why=reasons)
    if row.open:
        return "waiting", said("A change of it is on its way.")
    if on_wix and outside:
        return "in_step", said("Both sides are in step.")
    if on_wix:
        return "one_side", said("Only Wix has it.")
    if outside:
        return "one_side", said("Only the other side has it.")
    return "empty", said("Neither side has a record of it yet.")


def not_linked(row: UnlinkedRow) -> str:
    """Why a delivery has not come to a rating: the end of *Not linked yet because …*."""
    title = title_of(row.reason)
    if row.state is InboxState.HELD:
        return within(title)
    if row.state in (InboxState.NEW, InboxState.TAKEN) and row.reason:
        why = row.reason.replace("_", " ")
        return said("it is tried again by itself: %(why)s", why=why)
    if row.state in (InboxState.NEW, InboxState.TAKEN):
        return said("no worker has looked at it yet")
    return ENDS.get(row.reason, row.reason.replace("_", " ") or said("it has ended"))


def ended(state: InboxState, reason: str) -> str:
    """How a delivery ended, or why it waits."""
    if state is InboxState.HELD:
        return said("Held: %(why)s", why=title_of(reason))
    if state is InboxState.SUPPRESSED:
        return said("Known as the echo of our own write")
    if state is InboxState.SUPERSEDED:
        return said("Ended with a newer one")
    told = ENDS.get(reason, reason.replace("_", " "))
    return said("Done: %(what)s", what=told) if told else said("Done")


def told(value: Value | None) -> str | None:
    """A value as text; ``None``: there is none."""
    return None if value is None else str(value)
