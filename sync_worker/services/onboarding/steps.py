"""The steps by which a site comes to work, and what became of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sync_worker.core.said import said_again


class Step(StrEnum):
    """In their order; each may be left and taken up again."""

    INSTALLED = "installed"
    ACCOUNT = "account"
    PROBE = "probe"
    WEBHOOKS = "webhooks"
    CATALOGUES = "catalogues"
    PAIRS = "pairs"
    SCALE = "scale"
    DRY_RUN = "dry_run"
    START = "start"


class StepState(StrEnum):
    """``WAITS``: a person has to do something; ``FAILED``: it may be tried again."""

    TO_DO = "to_do"
    DONE = "done"
    SKIPPED = "skipped"
    WAITS = "waits"
    FAILED = "failed"


OVER = frozenset({StepState.DONE, StepState.SKIPPED})
# What only a person can say yes to.
ASKS = (Step.WEBHOOKS, Step.PAIRS, Step.SCALE, Step.START)
# No site can do without these.
NEVER_SKIPPED = frozenset({Step.INSTALLED, Step.ACCOUNT, Step.START})


@dataclass(frozen=True, slots=True)
class Result:
    """What a step came to. ``words``: for people, perhaps several lines."""

    state: StepState
    words: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a site; ``actor``: who had it done; ``at``: seconds since 1970, 0: never."""

    step: Step
    state: StepState
    words: str = ""
    actor: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """All steps of a site, in their order."""

    site_id: int
    lines: Sequence[StepLine]

    @property
    def following(self) -> StepLine | None:
        """The first that is not over; ``None``: the site is at work."""
        return next((line for line in self.lines if line.state not in OVER), None)

    @property
    def is_finished(self) -> bool:
        return self.following is None

    def line(self, step: Step) -> StepLine:
        return next(line for line in self.lines if line.step is step)


def lines_of(
    kept: Mapping[str, Mapping[str, Any]], made_with: Callable[[Step], str]
) -> list[StepLine]:
    """The lines of what the ledger keeps; what another version wrote is to do.

    ``made_with``: what a step would be done with today; what was done with another is to do, too.
    """
    return [_line(step, kept.get(step, {}), made_with(step)) for step in Step]


def _line(step: Step, told: Mapping[str, Any], made_with: str) -> StepLine:
    state = told.get("state")
    if state not in tuple(StepState) or told.get("made_with", made_with) != made_with:
        return StepLine(step, StepState.TO_DO)
    words, actor = str(told.get("words", "")), str(told.get("actor", ""))
    if told.get("form"):
        words = said_again(told["form"])
    return StepLine(step, StepState(state), words, actor, int(told.get("at", 0)))
