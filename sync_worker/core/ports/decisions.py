"""What people decide about single ratings, on its way into the inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sync_worker.core.values import Contact, Entity, HistoryEntry, LinkState, Site
from sync_worker.core.values.decisions import Decision, Shown


@dataclass(frozen=True, slots=True)
class RatingOnFile:
    """A rating as the ledger knows it, for a person who decides about it.

    ``version``: the number of its newest line of the history, 0 without one: it changes with
    everything that is written or decided. ``shown``: as ``shown_on_file``. ``deciding``: the number
    of a decision that is on its way. ``held``: by the number of a delivery, why it is held.
    """

    link_id: int
    site: Site
    state: LinkState
    entity: Entity
    contact: Contact | None
    version: int
    shown: Mapping[str, Shown]
    deciding: int | None = None
    held: Mapping[int, str] = field(default_factory=dict)
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class PastLine:
    """A line of the history that may be undone.

    ``beside``: all lines of the same write, this one among them. ``later``: the number of a line
    that changed the same attribute since, but for one of the same run; ``newest``: of its link's
    newest line. ``is_forgotten``: its words are a hash by now.
    """

    number: int
    link_id: int | None
    site_id: int
    entry: HistoryEntry
    beside: Sequence[HistoryEntry]
    newest: int
    later: int | None = None
    is_forgotten: bool = False


@dataclass(frozen=True, slots=True)
class HeldOne:
    """A held delivery; ``link_id`` is ``None`` while its rating is not known."""

    inbox_id: int
    site_id: int | None
    link_id: int | None
    reason: str


# Says what is decided about a rating as it is on file now, in the transaction that stores it
# (``None``: there is no such rating); raises what refuses it.
Judge = Callable[[RatingOnFile | None], Decision]


class Decisions(Protocol):
    """Each method is one transaction."""

    def rating(self, link_id: int) -> RatingOnFile | None:
        """A rating by the number of its link."""

    def line(self, number: int) -> PastLine | None:
        """A line of the history."""

    def held(self, inbox_ids: Sequence[int]) -> Sequence[HeldOne]:
        """Those of these deliveries that are held."""

    def decide(self, link_id: int, name: str, judge: Judge) -> int:
        """Store what ``judge`` says as a delivery of the link; its number.

        ``name``: of this one decision; the same name again is the same delivery.
        """

    def let_go_on(self, link_id: int, reasons: Sequence[str], by: str, why: str) -> Sequence[int]:
        """Release what a link holds for these reasons, if the first is among them; the numbers."""
