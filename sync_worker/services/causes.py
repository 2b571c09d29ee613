"""Why something needs a person, by the harm that it does: each with a next step and a place. Pure.

What is of one kind is one cause, however many sites have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sync_worker.core.said import said, said_many, sentence
from sync_worker.services.trouble import Trouble, TroubleKind
from sync_worker.services.troubles import MAX_OF_A_KIND

HELD = "held"
# The worst first: nothing is accepted, nothing crosses, one side or site, what waits for a person.
BY_HARM = (
    TroubleKind.NO_LEDGER,
    TroubleKind.LEDGER,
    TroubleKind.NOTHING_RUNS,
    TroubleKind.NO_GATEWAY,
    TroubleKind.NO_WORKER,
    TroubleKind.REDIS,
    TroubleKind.MISCONFIGURED,
    TroubleKind.WEBHOOKS_REFUSED,
    TroubleKind.ACCOUNTS_LOCKED,
    TroubleKind.REMOTE_REFUSES,
    TroubleKind.ACCOUNT_REFUSED,
    TroubleKind.REMOTE_AWAY,
    TroubleKind.HOOKS_DISABLED,
    TroubleKind.DELIVERY_WAITS,
    TroubleKind.BUDGET_USED_UP,
    TroubleKind.SITE_WORK_FAILS,
    TroubleKind.NO_SCHEDULER,
    TroubleKind.TWO_INSTALLATIONS,
    TroubleKind.CLOCK,
    TroubleKind.CERTIFICATE,
    TroubleKind.NO_SITE,
    TroubleKind.NEVER_COMPARED,
    TroubleKind.ACCOUNT_REVOKED,
    TroubleKind.ACCOUNT_PAUSED,
    TroubleKind.PAUSED,
)
# Where one sees more, and can do something.
PLACES = {
    TroubleKind.NOTHING_RUNS: "/machines",
    TroubleKind.NO_GATEWAY: "/machines",
    TroubleKind.NO_WORKER: "/machines",
    TroubleKind.NO_SCHEDULER: "/machines",
    TroubleKind.TWO_INSTALLATIONS: "/machines",
    TroubleKind.REDIS: "/machines",
    TroubleKind.LEDGER: "/machines",
    TroubleKind.CLOCK: "/machines",
    TroubleKind.DELIVERY_WAITS: "/waiting",
    TroubleKind.BUDGET_USED_UP: "/waiting",
    TroubleKind.REMOTE_AWAY: "/waiting",
    TroubleKind.NEVER_COMPARED: "/sites?trouble=never_compared",
    TroubleKind.ACCOUNT_REFUSED: "/sites?trouble=refused",
    TroubleKind.ACCOUNT_REVOKED: "/sites?trouble=no_account",
    TroubleKind.ACCOUNT_PAUSED: "/sites?trouble=account_rests",
    TroubleKind.SITE_WORK_FAILS: "/sites?trouble=work_fails",
    TroubleKind.PAUSED: "/sites?trouble=paused",
    TroubleKind.NO_SITE: "/sites",
}
# They stop all sites.
OF_THE_INSTALLATION = frozenset(
    {
        TroubleKind.NO_LEDGER,
        TroubleKind.LEDGER,
        TroubleKind.NOTHING_RUNS,
        TroubleKind.NO_GATEWAY,
        TroubleKind.NO_WORKER,
        TroubleKind.REDIS,
        TroubleKind.WEBHOOKS_REFUSED,
        TroubleKind.REMOTE_REFUSES,
        TroubleKind.REMOTE_AWAY,
    }
)
NOTHING_RUNS, NO_SITE_YET = said("Nothing runs"), said("No site yet")
FOR_OWNERS = said("the service does not work at the moment: ratings are kept, and cross later")
FOR_OWNERS_STEP = said("nothing to do for you: whoever runs it sees the same, and nothing is lost")
# What an owner does, who has no commands and no other page.
OWNER_STEPS = {
    TroubleKind.PAUSED: said("resume it on the page of your site"),
    TroubleKind.ACCOUNT_PAUSED: said("resume it on the page of your account"),
    TroubleKind.ACCOUNT_REVOKED: said(
        "give the access of your shop again on the page of your account"
    ),
    TroubleKind.ACCOUNT_REFUSED: said("give a valid key or token on the page of your account"),
    TroubleKind.NEVER_COMPARED: said("look at the comparison, and start it if it is right"),
}
OWNER_STEP = said("nothing to do for you now: it is tried again by itself, and nothing is lost")


@dataclass(frozen=True, slots=True)
class Line:
    """One of the things that a cause is made of."""

    sentence: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Cause:
    """``kind``: a TroubleKind, or ``held``. ``lines``: the first of them, of ``count``.

    ``is_more``: there are more than were counted. ``since``: seconds since 1970, ``None``: not
    known. ``place``: the page that says more; empty: none does.
    """

    kind: str
    lines: Sequence[Line]
    count: int
    place: str = ""
    since: float | None = None
    is_more: bool = False


def causes(found: Iterable[Trouble], held: int, *, is_more_held: bool) -> list[Cause]:
    """All of them, the most harmful first; what is held comes last."""
    ordered = sorted(found, key=lambda trouble: BY_HARM.index(trouble.kind))
    told = [_cause(kind, list(some)) for kind, some in groupby(ordered, _kind_of)]
    if held:
        told.append(_held(held, is_more=is_more_held))
    return told


def of_site(found: Iterable[Trouble], sources: frozenset[str], *, is_owner: bool) -> list[Trouble]:
    """What concerns one site: its own troubles, and that the whole stands still.

    ``is_owner``: the words are for its owner, who does not run the installation.
    """
    its, of_all = list[Trouble](), list[Trouble]()
    for trouble in found:
        if trouble.source in sources:
            its.append(trouble)
        elif not trouble.source and trouble.kind in OF_THE_INSTALLATION:
            of_all.append(trouble)
    if not is_owner:
        return its + of_all
    told = [replace(one, next_step=OWNER_STEPS.get(one.kind, OWNER_STEP)) for one in its]
    if of_all:
        worst = min(of_all, key=lambda trouble: BY_HARM.index(trouble.kind))
        told.append(replace(worst, sentence=FOR_OWNERS, next_step=FOR_OWNERS_STEP))
    return told


def headline(told: Sequence[Cause], *, has_sites: bool) -> str:
    """One sentence: how it stands."""
    kinds = {cause.kind for cause in told}
    if kinds & {TroubleKind.NOTHING_RUNS, TroubleKind.NO_LEDGER}:
        return NOTHING_RUNS
    if not has_sites:
        return NO_SITE_YET
    if not told:
        return said("All well")
    return said_many("%(num)d thing needs you", "%(num)d things need you", len(told))


_kind_of: Callable[[Trouble], TroubleKind] = lambda trouble: trouble.kind  # noqa: E731 - of groupby


def _cause(kind: TroubleKind, some: Sequence[Trouble]) -> Cause:
    times = [trouble.since for trouble in some if trouble.since is not None]
    lines = [_line(trouble) for trouble in some[:MAX_OF_A_KIND]]
    return Cause(str(kind), lines, len(some), PLACES.get(kind, ""), min(times, default=None))


def _line(trouble: Trouble) -> Line:
    return Line(sentence(trouble.sentence), trouble.next_step)


def _held(count: int, *, is_more: bool) -> Cause:
    number = f"{count:,}"
    told = said_many(
        "1 delivery is held: they wait for a person, or for something to arrive",
        "%(count)s deliveries are held: they wait for a person, or for something to arrive",
        count,
        count=number,
    )
    if is_more:
        told = said(
            "%(count)s deliveries or more are held: they wait for a person, or for something to"
            " arrive",
            count=number,
        )
    return Cause(HELD, [Line(told, HELD_STEP)], count, "/held", is_more=is_more)


HELD_STEP = said("each group says why, when it frees itself, and what to do")
