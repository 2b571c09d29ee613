"""The list of sites, and one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.site_pages import SiteFilter, SiteRow
from sync_worker.ledger.console.pause_rows import Pause
from sync_worker.ledger.console.site_list import (
    MAX_HELD,
    PAGE,
    SiteLine,
    SitesWanted,
    SiteTrouble,
    SqlSiteList,
)
from sync_worker.services.access.who import Right, Who
from sync_worker.services.accounts.standing import site_account_words
from sync_worker.services.trouble import at

__all__ = ["PAGE", "SiteSummary", "SiteTrouble", "Sites", "SitesPage", "SitesWanted"]

# What a site's trouble is, and what to do about it.
TROUBLE_WORDS = {
    SiteTrouble.PAUSED: ("paused", "Its ratings wait until it is resumed."),
    SiteTrouble.RECOVERY: (
        "in recovery",
        "Nothing is deleted on either side, and no sweep begins, until it is resumed.",
    ),
    SiteTrouble.NO_ACCOUNT: (
        "no account",
        "Its owner has not said yet which shop it belongs to, so nothing can cross.",
    ),
    SiteTrouble.ACCOUNT_RESTS: ("account paused", "Its ratings wait until the account is resumed."),
    SiteTrouble.REFUSED: (
        "access refused",
        "A system refuses our access. It is asked again every minute; its key or token may have"
        " to be given anew.",
    ),
    SiteTrouble.NEVER_COMPARED: (
        "never compared",
        "What was rated before is not matched yet. Look at a comparison first, then start it.",
    ),
    SiteTrouble.WORK_FAILS: (
        "work fails",
        "A sweep, a poll or the check of its webhooks fails. It is tried again by itself.",
    ),
}


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """A site in the list. ``held``: at most so many are counted, then ``is_more_held``."""

    id: int
    instance_id: str
    connector: str
    state: str
    account: str
    wix_api: str
    troubles: Sequence[str]
    held: int
    is_more_held: bool
    pause: Pause | None


@dataclass(frozen=True, slots=True)
class SitesPage:
    """``after``: where the next page begins; empty: this is the last one."""

    sites: Sequence[SiteSummary]
    after: str = ""


class Sites:
    """Sites as people see them. Each raises Forbidden, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin) -> None:
        self._admin, self._list = admin, SqlSiteList(admin.transactions)

    def page(self, who: Who, wanted: SitesWanted, after: str = "", limit: int = PAGE) -> SitesPage:
        """A page of them, those in trouble first; an owner sees the one that is theirs."""
        who.check(Right.LOOK, who.site_id)
        wanted = replace(wanted, site_id=who.site_id)
        lines = self._list.page(wanted, after, limit + 1)
        shown = lines[:limit]
        is_more = len(lines) > limit
        return SitesPage([_summary(line) for line in shown], shown[-1].after if is_more else "")

    def one(self, who: Who, site_id: int) -> SiteSummary:
        """One site, as the list has it."""
        who.check(Right.LOOK, site_id)
        found = self._list.page(SitesWanted(site_id=site_id), limit=1)
        if not found:
            raise Misconfigured(said("there is no site %(site)s", site=site_id))
        return _summary(found[0])

    def known(self, who: Who, site_id: int) -> Site:
        """A site with its fields and policies."""
        who.check(Right.LOOK, site_id)
        return self._admin.sites.find(str(site_id))

    def connectors(self, who: Who) -> list[str]:
        """Of which the list has sites; for whoever sees more than one."""
        who.check(Right.LOOK, who.site_id)
        if who.site_id is not None:
            return []
        return self._list.connectors()

    def rows(
        self, who: Who, which: SiteFilter, after: int = 0, limit: int | None = None
    ) -> Iterator[SiteRow]:
        """Every site with exact counts, in the order in which they were added: for commands."""
        who.check(Right.LOOK)
        return self._admin.site_pages.rows(which, after, limit)

    def summaries(self, who: Who, ids: Sequence[int]) -> dict[int, SiteSummary]:
        """These sites, as the list has them."""
        who.check(Right.LOOK)
        found: dict[int, SiteSummary] = {}
        for start in range(0, len(ids), PAGE):
            lines = self._list.some(ids[start : start + PAGE])
            found |= {site_id: _summary(line) for site_id, line in lines.items()}
        return found

    def count(self, who: Who, which: SiteFilter) -> int:
        """How many there are."""
        who.check(Right.LOOK)
        return self._admin.site_pages.count(which)


def trouble_words(trouble: str) -> str:
    return TROUBLE_WORDS[SiteTrouble(trouble)][0]


def trouble_advice(trouble: str) -> str:
    return TROUBLE_WORDS[SiteTrouble(trouble)][1]


def pause_words(pause: Pause, now: float) -> str:
    """Since when, until when and why a site rests."""
    until = "until somebody resumes it"
    if pause.until is not None:
        until = f"until {at(pause.until, now)}"
    why = f": {pause.why}" if pause.why else ""
    return f"paused by {pause.actor} since {at(pause.paused_at, now)}, {until}{why}"


def _summary(line: SiteLine) -> SiteSummary:
    site = line.site
    account = "of the environment" if site.has_implicit_account else site_account_words(site)
    pause = line.pause if site.state is SiteState.PAUSED else None
    return SiteSummary(
        site.id,
        site.instance_id,
        site.connector,
        str(site.state),
        account,
        str(site.wix_api),
        [str(trouble) for trouble in line.troubles],
        line.held,
        line.held >= MAX_HELD,
        pause,
    )
