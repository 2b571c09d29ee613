"""The first steps of a site as programs are shown them, by API and command alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_worker.services.onboarding.steps import (
    ASKS,
    NEVER_SKIPPED,
    Progress,
    Step,
    StepLine,
    StepState,
)


@dataclass(frozen=True, slots=True)
class ShownStep:
    """``at``: seconds since 1970; ``None``: never done."""

    step: str
    state: str
    words: str
    actor: str
    at: int | None


@dataclass(frozen=True, slots=True)
class ShownSteps:
    """``next``: the first step that is not over; ``asks``: it waits for somebody's yes."""

    site_id: int
    finished: bool
    next: str | None
    asks: bool
    can_skip: bool
    steps: Sequence[ShownStep]


def shown_steps(progress: Progress, proposed: int) -> ShownSteps:
    """``proposed``: how many pairs wait for a yes."""
    following = progress.following
    return ShownSteps(
        progress.site_id,
        progress.is_finished,
        None if following is None else str(following.step),
        asks_for_yes(following, has_pairs=proposed > 0),
        can_be_skipped(following),
        [_shown(line) for line in progress.lines],
    )


def asks_for_yes(line: StepLine | None, *, has_pairs: bool) -> bool:
    """Whether the next step waits for somebody's yes."""
    if line is None or line.state is not StepState.WAITS:
        return False
    if line.step is Step.PAIRS:
        return has_pairs
    return line.step in ASKS


def can_be_skipped(line: StepLine | None) -> bool:
    return line is not None and line.step not in NEVER_SKIPPED


def _shown(line: StepLine) -> ShownStep:
    return ShownStep(str(line.step), str(line.state), line.words, line.actor, line.at or None)
