"""Troubles of how it is set up: the ledger, sites, connectors, shops that two sites have."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.said import said
from sync_worker.core.values import SiteState
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import Trouble, TroubleKind


def not_set_up(evidence: Evidence) -> Iterator[Trouble]:
    """There is nothing yet that a rating could cross."""
    setup = said(
        "`ratings-sync setup` connects a site step by step, `ratings-sync site add` at once"
    )
    if evidence.missing_ledger:
        where, _, step = evidence.missing_ledger.partition(": ")
        yield Trouble(TroubleKind.NO_LEDGER, where, step)
    elif evidence.ledger_reason:
        return
    elif not evidence.sites:
        told = said("no site is connected yet: no rating crosses")
        yield Trouble(TroubleKind.NO_SITE, told, setup)
    elif not any(site.is_given or site.account for site in evidence.sites):
        yield Trouble(
            TroubleKind.NO_SITE,
            said("no site has an external account yet: no rating crosses"),
            said("`ratings-sync account add SITE --connector NAME` gives it one"),
        )


def never_compared(evidence: Evidence) -> Iterator[Trouble]:
    """First of all: whoever waits for polls and sweeps would wait for ever."""
    for site in evidence.sites:
        if site.state is not SiteState.ACTIVE or site.is_compared or site.is_comparing:
            continue
        # Its owner has not given what there would be to compare.
        if not site.is_given:
            continue
        yield Trouble(
            TroubleKind.NEVER_COMPARED,
            said(
                "both sides of site %(site)s (%(connector)s) were never compared: what was there"
                " before stays apart, and polls and sweeps never start",
                site=site.id,
                connector=site.connector,
            ),
            said(
                "`ratings-sync reconcile --site %(site)s --dry-run` shows what would be written,"
                " `ratings-sync reconcile --site %(site)s` does it",
                site=site.id,
            ),
            source=site.source,
        )


def ledger_not_written(evidence: Evidence) -> Iterator[Trouble]:
    if evidence.ledger_reason:
        yield Trouble(
            TroubleKind.LEDGER,
            said(
                "the ledger cannot be written: %(why)s; webhooks are answered 503",
                why=evidence.ledger_reason,
            ),
            said(
                "is the disk full, the file or its folder read-only for this user, or the"
                " database's server away or a standby? no process has to be started again"
            ),
        )


def unread_connectors(evidence: Evidence) -> Iterator[Trouble]:
    # Before there is a site, nobody needs one.
    if evidence.connectors_reason and evidence.sites:
        yield Trouble(
            TroubleKind.MISCONFIGURED,
            said("the connectors cannot be read: %(why)s", why=evidence.connectors_reason),
            said("set what it names in .env or in the environment; each process needs it"),
        )


def connectors_not_set_up(evidence: Evidence) -> Iterator[Trouble]:
    """Sites of the environment whose connector it does not set up: as of a mistyped name."""
    if evidence.connectors is None:
        return
    for site in evidence.sites:
        is_used = site.is_of_environment and site.state is not SiteState.REMOVED
        if is_used and site.connector not in evidence.connectors:
            yield Trouble(
                TroubleKind.MISCONFIGURED,
                said(
                    "site %(site)s uses connector %(connector)s, which CONNECTORS does not name or"
                    " none of whose settings is set: its ratings wait",
                    site=site.id,
                    connector=site.connector,
                ),
                said(
                    "`ratings-sync connector show %(connector)s` lists its settings; set them in"
                    " .env or in the environment of each process",
                    connector=site.connector,
                ),
                source=site.source,
            )


def shops_twice(evidence: Evidence) -> Iterator[Trouble]:
    """The environment was set to a shop that is another site's account."""
    for source, sentence, step in evidence.shops_twice:
        yield Trouble(TroubleKind.MISCONFIGURED, sentence, step, source=source)
