"""One line of the doctor, and what its checks share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sync_worker.core.errors import Misconfigured, NoLedger

Verdict = Literal["ok", "note", "bad", "skipped"]

ASK_SECONDS = 2.0
CLOCK_SECONDS = 60.0  # signatures are refused at 300 s; a minute leaves room


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor.

    A ``note`` needs no haste, ``bad`` must be put right, ``skipped`` could not be asked.
    """

    name: str
    verdict: Verdict
    what: str
    next_step: str = ""


def ok(name: str, what: str) -> Check:
    return Check(name, "ok", what)


def note(name: str, what: str, next_step: str = "") -> Check:
    return Check(name, "note", what, next_step)


def bad(name: str, what: str, next_step: str) -> Check:
    return Check(name, "bad", what, next_step)


def skipped(name: str, what: str, next_step: str = "") -> Check:
    return Check(name, "skipped", what, next_step)


def clock(name: str, seconds_ahead: float) -> Check:
    """Whether another clock is near enough to ours."""
    if abs(seconds_ahead) <= CLOCK_SECONDS:
        return ok(name, f"differs from ours by {seconds_ahead:+.1f} s")
    return bad(
        name,
        f"differs from ours by {seconds_ahead:+.0f} s",
        "let NTP set both clocks; signatures have times in them",
    )


def first_line(error: Exception) -> str:
    """Of an error's words, at most 200 characters."""
    return (str(error).splitlines() or [""])[0][:200]


def _without_ledger(name: str, error: NoLedger) -> Check:
    """Said once, by the check of the ledger itself."""
    if name != "sql":
        return skipped(name, "stands in the ledger")
    where, _, step = error.message.partition(": ")
    return bad(name, where, step)


def safely(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks; an error that they do not foresee is a bad one, and not the end of all."""
    try:
        yield from checks
    except NoLedger as error:
        yield _without_ledger(name, error)
    except Misconfigured as error:
        yield bad(name, error.message, "correct the setting in the environment or in .env")
    except Exception as error:
        yield bad(name, f"{type(error).__name__}: {first_line(error)}", "see the logs")
