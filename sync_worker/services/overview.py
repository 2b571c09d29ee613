"""How an installation, or one site, stands: one sentence, the causes, and the last 24 hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sync_worker.core.values import Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.door_counts import DoorSource
from sync_worker.ledger.console.held_counts import MAX_COUNTED as MAX_HELD
from sync_worker.ledger.console.held_counts import SqlHeldCounts
from sync_worker.ledger.console.hours import (
    HOUR_SECONDS,
    MAX_COUNTED,
    Crossings,
    Knocks,
    SqlHours,
)
from sync_worker.services.access.who import Right, Role, Who
from sync_worker.services.causes import Cause, causes, headline, of_site
from sync_worker.services.evidence import Bounds, Evidence
from sync_worker.services.troubles import troubles
from sync_worker.telemetry.door_book import ACCEPTED, REFUSED

HOURS = 24
MAX_SOURCES = 20
MAX_TROUBLED = 200  # of each kind of fact: more is no other sentence
# Many look at once, and each page asks again after some seconds.
FRESH_SECONDS = 4.0
HOURS_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Hour:
    """``starts_at``: seconds since 1970. ``accepted``, ``refused``: ``None`` for one site alone.

    ``is_more``: more has crossed, or is held, than was counted.
    """

    starts_at: float
    accepted: int | None
    refused: int | None
    crossed: int
    held: int
    age_p95_seconds: float | None
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Whose webhooks were accepted and refused last; times in seconds since 1970."""

    name: str
    accepted_at: float | None
    refused_at: float | None
    refused_reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """``at``: when it was looked, in seconds since 1970. ``site_id``: ``None``: of all sites."""

    sentence: str
    is_well: bool
    causes: Sequence[Cause]
    held: int
    is_more_held: bool
    hours: Sequence[Hour]
    sources: Sequence[Source]
    at: float
    site_id: int | None = None


class OverviewService:
    """``evidence``: of this moment, within bounds. What was asked is kept for some seconds."""

    def __init__(
        self,
        admin: LedgerAdmin,
        evidence: Callable[[Bounds], Evidence],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin, self._evidence = admin, evidence
        self._hours, self._held = SqlHours(admin.transactions), SqlHeldCounts(admin.transactions)
        self._recent = _Recent(clock)
        self._past: dict[int, Crossings] = {}

    def overview(self, who: Who, site_id: int | None = None) -> Overview:
        """Of all sites or of one; an owner's is the own site. Raises Forbidden, Transient."""
        site_id = who.site_id if site_id is None else site_id
        who.check(Right.LOOK, site_id)
        site = None if site_id is None else self._admin.sites.find(str(site_id))
        bounds = Bounds(MAX_TROUBLED, site)
        evidence = self._recent.of(site_id, FRESH_SECONDS, lambda: self._evidence(bounds))
        if evidence.missing_ledger or evidence.ledger_reason:
            return _unread(evidence, site_id)
        found, sources = troubles(evidence), _sources_of(site)
        if site is not None:
            found = of_site(found, sources, is_owner=who.role is Role.OWNER)
        held = self._recent.of(("held", site_id), FRESH_SECONDS, lambda: self._held.number(site))
        told = causes(found, held, is_more_held=held >= MAX_HELD)
        return Overview(
            headline(told, has_sites=bool(evidence.sites)),
            not told and bool(evidence.sites),
            told,
            held,
            held >= MAX_HELD,
            self._recent.of(("hours", site_id), HOURS_SECONDS, lambda: self._last_hours(site)),
            self._recent.of(("door", site_id), FRESH_SECONDS, lambda: self._door(site)),
            evidence.now,
            site_id,
        )

    def _door(self, site: Site | None) -> list[Source]:
        # Webhooks of Wix are counted for all sites together: not for one owner to see.
        sources = None if site is None else _sources_of(site)
        return [_source(one) for one in self._admin.door_counts.some(MAX_SOURCES, sources)]

    def _last_hours(self, site: Site | None) -> list[Hour]:
        current = self._hours.current()
        hours = range(current - HOURS + 1, current + 1)
        if site is not None:
            its = self._hours.crossings_of_site(site.id, _sources_of(site), hours[0])
            crossed = sum(one.crossed for one in its.values())
            held = sum(one.held for one in its.values())
            is_more = MAX_COUNTED in (crossed, held)
            return [_hour(hour, None, its.get(hour, Crossings()), is_more) for hour in hours]
        knocks = self._hours.knocks(hours[0], ACCEPTED, REFUSED)
        crossings = {hour: self._crossings(hour, current) for hour in hours}
        self._past = {hour: crossings[hour] for hour in hours if hour < current - 1}
        return [
            _hour(hour, knocks.get(hour, Knocks()), counted, counted.is_full)
            for hour, counted in crossings.items()
        ]

    def _crossings(self, hour: int, current: int) -> Crossings:
        """An hour that is over is counted once: what is released later had been held in it."""
        known = self._past.get(hour)
        return known if known is not None else self._hours.crossings(hour)


class _Recent:
    """What was asked a moment ago, by what it is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._turn = clock, Lock()
        self._known: dict[Any, tuple[float, Any]] = {}

    def of(self, what: Any, seconds: float, ask: Callable[[], Any]) -> Any:
        now = self._clock()
        until, known = self._known.get(what, (0.0, None))
        if now < until:
            return known
        answer = ask()
        with self._turn:
            self._known = {name: kept for name, kept in self._known.items() if kept[0] > now}
            self._known[what] = (now + seconds, answer)
        return answer


def _sources_of(site: Site | None) -> frozenset[str]:
    if site is None:
        return frozenset()
    return frozenset({site.instance_id, site.external_source}) - {""}


def _unread(evidence: Evidence, site_id: int | None) -> Overview:
    """Nothing is known but that."""
    found = troubles(evidence)
    if site_id is not None:
        found = of_site(found, frozenset(), is_owner=True)
    told = causes(found, 0, is_more_held=False)
    sentence = headline(told, has_sites=True)
    return Overview(sentence, not told, told, 0, False, [], [], evidence.now, site_id)


def _hour(hour: int, knocks: Knocks | None, crossings: Crossings, is_more: bool) -> Hour:
    return Hour(
        hour * HOUR_SECONDS,
        None if knocks is None else knocks.accepted,
        None if knocks is None else knocks.refused,
        crossings.crossed,
        crossings.held,
        crossings.age_p95_seconds,
        is_more,
    )


def _source(known: DoorSource) -> Source:
    return Source(known.source, known.accepted_at, known.refused_at, known.refused_reason)
