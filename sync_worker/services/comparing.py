"""Comparisons of both sides of a site: what was found, what is under way, a look, a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.said import said, within
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.console.compared import ComparedPage, ComparedRun, SqlCompared
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import NotThere, Right, Who
from sync_worker.services.braked import Braked, mark_of

BUSY = said("the site is being compared already: what it finds stands here, live")
MAX_WHY = 256
MAX_DELETES = 1_000_000

__all__ = ["Busy", "Compared", "ComparedPage", "ComparedRun", "Comparing"]


class Busy(Misconfigured):
    """The site is being compared already."""


class Asking(Protocol):
    """What lets workers do something. Raises Misconfigured, Transient."""

    def dry_run(self, site_id: int, actor: str) -> None:
        """Compare both sides of a site whole, and write nothing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """``last``: the last whole comparison; ``open``: the one that is under way.

    ``braked_deletes``: how many deletes the brake holds; ``braked_seen`` stands for exactly these.
    """

    page: ComparedPage
    last: ComparedRun | None
    open: ComparedRun | None
    why_not: str
    braked_deletes: int
    braked_seen: str


class Comparing:
    """Each raises Forbidden, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin, sweeps: SqlSweeps, asking: Asking) -> None:
        self._admin, self._sweeps, self._asking = admin, sweeps, asking
        self._compared = SqlCompared(admin.transactions)
        self._audit = SqlAudit(admin.transactions)
        self._braked = Braked(admin, sweeps)

    def everywhere(self, who: Who, before: int | None = None) -> ComparedPage:
        """Of all sites; for whoever sees more than one."""
        who.check(Right.LOOK)
        return self._compared.of_all(before)

    def one(self, who: Who, run_id: int) -> ComparedRun:
        """Raises NotThere alike for one of another site, and for one that there is not."""
        found = self._compared.one(run_id)
        if found is None or not who.may(Right.LOOK, found.site_id):
            raise NotThere(said("there is no comparison %(number)s here", number=run_id))
        return found

    def of_site(self, who: Who, site_id: int, before: int | None = None) -> Compared:
        who.check(Right.LOOK, site_id)
        page = self._compared.of_site(site_id, before)
        under_way = next((one for one in page.runs if one.is_open), None)
        site, last = self._site(site_id), self._compared.last_whole(site_id)
        held = self._braked.numbers(site)
        why_not = why_not_compared(site)
        return Compared(page, last, under_way, why_not, len(held), mark_of(held))

    def dry_run(self, who: Who, site_id: int) -> str:
        """A worker compares both sides and says what it would do; nothing is written."""
        who.check(Right.DRY_RUN, site_id)
        _refuse_at_rest(self._site(site_id))
        self._refuse_busy(site_id)
        self._asking.dry_run(site_id, who.name)
        self._audit.add(who.name, "compare.dry_run", site_id=site_id)
        return said(
            "A worker looks at both sides now, and writes nothing; what it finds stands here."
        )

    def run(
        self,
        who: Who,
        site_id: int,
        why: str = "",
        *,
        allow_deletes: int | None = None,
        seen: str = "",
    ) -> str:
        """Both sides are compared whole and brought in step, by the workers.

        ``allow_deletes``: so many as the brake holds are right, and go on; ``seen``: those that
        somebody looked at. Raises ChangedMeanwhile where it holds others by now.
        """
        who.check(Right.COMPARE, site_id)
        site = self._site(site_id)
        _refuse_at_rest(site)
        if site.state is SiteState.RECOVERY:
            raise Misconfigured(
                said(
                    "site %(site)s is in recovery: look first, with a dry run, then resume the"
                    " site",
                    site=site_id,
                )
            )
        braked = [] if allow_deletes is None else self._braked.numbers(site)
        if allow_deletes is not None:
            _refuse_unseen(braked, allow_deletes, seen)
        sweep = self._sweeps.begin(site_id, RunKind.SWEEP)
        if sweep is None:
            raise Busy(BUSY)
        if allow_deletes is not None:
            self._braked.let_go(site, braked, allow_deletes, who.name)
        self._sweeps.hand_to_workers(sweep)
        self._audit.add(who.name, "compare.run", site_id=site_id, why=why[:MAX_WHY])
        return said("The workers compare both sides now, and bring them in step.")

    def _refuse_busy(self, site_id: int) -> None:
        if any(one.is_open for one in self._compared.of_site(site_id, None).runs):
            raise Busy(BUSY)

    def _site(self, site_id: int) -> Site:
        return self._admin.sites.find(str(site_id))


def _refuse_unseen(braked: Sequence[int], count: int, seen: str) -> None:
    """Raises ChangedMeanwhile."""
    if count != len(braked):
        raise ChangedMeanwhile(
            said(
                "The brake holds %(now)s deletes now, not %(seen)s: look at them again."
                " Nothing was done.",
                now=len(braked),
                seen=count,
            )
        )
    if seen != mark_of(braked):
        raise ChangedMeanwhile(
            said(
                "The brake holds other deletes now than you have seen: look at them again."
                " Nothing was done."
            )
        )


def _refuse_at_rest(site: Site) -> None:
    if why := why_not_compared(site):
        raise Misconfigured(why)


def why_not_compared(site: Site) -> str:
    """Why a site cannot be compared now; empty: it can."""
    if not site.external_source:
        return said("The site has no account yet, so there is nothing to compare with.")
    if not site.is_at_work:
        why = within(hold_reason(site.why_at_rest).title)
        return said("The site is at rest (%(why)s): let it go on first.", why=why)
    return ""
