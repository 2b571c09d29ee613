"""What a person decides about one rating, and its form as the payload of a delivery.

A decision is a delivery like any other: durable, processed by a run under the lease of its link.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sync_worker.core.errors import OfNewerVersion
from sync_worker.core.hold_reasons import FREES_ITSELF, IN_STEP_ONLY, ON_LOOK
from sync_worker.core.values.deliveries import Change, NewDelivery
from sync_worker.core.values.links import HistoryEntry, HistoryKind, Link, Value
from sync_worker.core.values.records import Side
from sync_worker.core.values.sites import RatingKey

ERASED_CONTACT = "erased-"  # and the number of the link: nobody's any more
DECISION = "decision:"
NUMBER, WORDS = "number", "words"


class Asked(StrEnum):
    """What a person asks for.

    ``MAKE``: both sides are to show these values. ``UNDO``: the same, with what a line of the
    history says was overwritten. ``CHOOSE``: both sides are to show what one of them shows.
    ``COMPARE``: look at both sides now. ``STOP``: write nothing before a person lets it go on.
    """

    MAKE = "make"
    UNDO = "undo"
    CHOOSE = "choose"
    COMPARE = "compare"
    STOP = "stop"

    @property
    def writes(self) -> bool:
        """Whether it says what both sides are to show."""
        return self in WRITES


KNOWN = frozenset(map(str, Asked))
WRITES = frozenset({Asked.MAKE, Asked.UNDO, Asked.CHOOSE})


@dataclass(frozen=True, slots=True)
class Shown:
    """What both sides showed of one attribute, as a person saw it; ``None`` is absent."""

    wix: Value | None = None
    external: Value | None = None

    def on(self, side: Side) -> Value | None:
        return self.wix if side is Side.WIX else self.external


@dataclass(frozen=True, slots=True)
class Decision:
    """``side``: in whose units ``values`` are, or which side wins.

    ``seen``: by attribute, what the ledger knew of both sides as the person decided; an attribute
    that is missing there was not known. ``line``: the line of the history that it undoes.
    """

    asked: Asked
    actor: str
    why: str = ""
    side: Side = Side.WIX
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)
    seen: Mapping[str, Shown] = field(default_factory=dict, hash=False)
    line: int | None = None

    @property
    def name(self) -> str:
        """What was decided, in the words of the history."""
        match self.asked:
            case Asked.UNDO if self.line is not None:
                return f"undo h{self.line}"
            case Asked.CHOOSE:
                return f"choose {self.side}"
            case asked:
                return str(asked)

    @property
    def reason(self) -> str:
        """What was decided and why, for the history."""
        return f"{self.name}: {self.why}" if self.why else self.name


def decision_name(name: str) -> str:
    """What a decision is called among deliveries."""
    return f"{DECISION}{name}"


def delivery_of(decision: Decision, name: str, source: str, link: Link) -> NewDelivery:
    """A decision as a delivery from a site's Wix side, whose source this is.

    It speaks of the rating's record there, so that whoever looks at that finds it; where there is
    none it names no record.
    """
    on_wix = [known.remote_id for slot, known in link.records.items() if slot.side is Side.WIX]
    remote_id, payload = min(on_wix, default=name), decision_payload(decision)
    return NewDelivery(Side.WIX, source, name, Change.DECIDE, remote_id, payload)


def decision_payload(decision: Decision) -> dict[str, Any]:
    """A decision as the payload of a delivery; ``decision_in`` reads it back."""
    return {
        "asked": str(decision.asked),
        "actor": decision.actor,
        "why": decision.why,
        "side": str(decision.side),
        "values": {name: _written(value) for name, value in decision.values.items()},
        "seen": {
            name: [_written(shown.wix), _written(shown.external)]
            for name, shown in decision.seen.items()
        },
        "line": decision.line,
    }


def decision_in(payload: Mapping[str, Any]) -> Decision | None:
    """The decision that a delivery carries; ``None`` once its content is forgotten.

    Raises OfNewerVersion for one that we do not know.
    """
    if "asked" not in payload:
        return None
    if payload["asked"] not in KNOWN:
        raise OfNewerVersion
    values = {name: _read(one) for name, one in payload["values"].items()}
    return Decision(
        asked=Asked(payload["asked"]),
        actor=payload["actor"],
        why=payload["why"],
        side=Side(payload["side"]),
        values={name: value for name, value in values.items() if value is not None},
        seen={name: Shown(*map(_read, pair)) for name, pair in payload["seen"].items()},
        line=payload["line"],
    )


def _written(value: Value | None) -> dict[str, str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return {WORDS: value}
    return {NUMBER: str(value)}


def _read(written: Mapping[str, str] | None) -> Value | None:
    if written is None:
        return None
    if WORDS in written:
        return written[WORDS]
    return Decimal(written[NUMBER])


# A line of the history with one of these kinds changed, or left for good, what a side shows.
SETTLES = frozenset(
    {
        HistoryKind.CREATE,
        HistoryKind.UPDATE,
        HistoryKind.DELETE,
        HistoryKind.WITHDRAW,
        HistoryKind.REPLY,
        HistoryKind.PRIVACY_DELETE,
        HistoryKind.IGNORE,
    }
)
# Held for what both sides show, so that the ledger's memory of when they agreed is not all.
DIFFERS = frozenset({ON_LOOK, IN_STEP_ONLY})


# So many of the newest lines of a link tell what both sides show.
LINES_LOOKED_AT = 50


def is_erased_key(key: RatingKey) -> bool:
    """Whether the person of a rating asked to be forgotten."""
    return key.contact_id.startswith(ERASED_CONTACT)


def shown_on_file(
    link: Link, lines: Sequence[HistoryEntry], held: Collection[str]
) -> dict[str, Shown]:
    """What the ledger knows of both sides, by attribute.

    ``lines``: of the link's history, the newest first; ``held``: why deliveries of it are held. An
    attribute is missing whose sides are known to differ, and not how.
    """
    shown = {name: Shown(base.wix, base.external) for name, base in link.bases.items()}
    differs = any(FREES_ITSELF.get(reason) in DIFFERS for reason in held)
    if not differs:
        return shown
    told: dict[str, Shown | None] = {}
    for line in lines:
        if line.is_waiting_difference:
            told.setdefault(line.attribute, Shown(line.before, line.after))
        elif line.what in SETTLES:
            told.setdefault(line.attribute, None)
    for name in [*shown]:
        of_line = told.get(name)
        if of_line is not None:
            shown[name] = of_line
        elif not any(told.values()):
            del shown[name]
    return shown | {name: one for name, one in told.items() if one is not None}
