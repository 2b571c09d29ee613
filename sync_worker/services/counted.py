"""What a comparison of both sides has counted, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync_worker.core.said import joined, said, within
from sync_worker.core.values import Side
from sync_worker.services.ratings.words import OPERATIONS, WHERE, title_of

OUTCOME, WRITE = "outcome_", "write_"
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "applied": said("looked at one by one"),
        "listed_external": said("read in the shop"),
        "listed_wix": said("read on Wix"),
        "missing_external": said("missing in the shop"),
        "missing_wix": said("missing on Wix"),
        "due_external": said("to be looked for in the shop"),
        "due_wix": said("to be looked for on Wix"),
        "unreadable_external": said("not readable in the shop"),
        "unreadable_wix": said("not readable on Wix"),
        "in_step": said("in step"),
        "synced": said("brought over"),
        "link": said("alike on both sides, linked"),
        "skipped": said("left out by policy"),
        "done": said("ended"),
        "held": said("held"),
        "retry": said("tried again"),
        "rate_limited": said("waits for its turn"),
        "created": said("made"),
        "updated": said("changed"),
        "unchanged": said("as they were"),
        "differs": said("different, and left so"),
    }
)


def counted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """What a run has counted, by its words; what is none of it is left out."""
    return [(count_words(name), many) for name, many in sorted(counts.items()) if many]


def count_words(name: str) -> str:
    """One count of a run, by the name that the ledger has for it."""
    if name.startswith(WRITE):
        return joined(" ", ["×", write_words(name.removeprefix(WRITE))])
    return outcome_words(name.removeprefix(OUTCOME))


def outcome_words(outcome: str) -> str:
    """How a finding ends; of a dry run it may be held for a reason, or the writes of it."""
    kind, _, reason = outcome.partition(" ")
    if kind == "held" and reason:
        return said("held: %(why)s", why=within(title_of(reason)))
    if " on " in outcome:
        return write_words(outcome)
    return WORDS.get(outcome) or WORDS.get(kind) or outcome.replace("_", " ")


def write_words(writes: str) -> str:
    """``create on wix``, or several of them with *and* between."""
    return joined(said(" and "), [_write_words(one) for one in writes.split(" and ")])


def _write_words(write: str) -> str:
    operation, _, side = write.partition(" on ")
    if side not in tuple(Side):
        return write
    what = OPERATIONS.get(operation, operation)
    return said("%(what)s %(where)s", what=what, where=WHERE[Side(side)])
