"""Troubles of accounts: none given, paused, refused, or sealed for a key that we do not have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from sync_worker.core.said import joined, said, said_many
from sync_worker.core.values import AccountState, SiteState
from sync_worker.ledger.administration.standing import SiteStanding
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import Trouble, TroubleKind, since

KEY_STEP = said(
    "put the right key into SECRETS_KEY (several, with commas: all open), and start gateways and"
    " workers again; if it is lost, `ratings-sync account set` gives the secrets anew"
)


MOST_ACCOUNTS = 20  # told one by one, of a fleet's many
OTHER = "other"


def worst_accounts(found: Sequence[Trouble], sites: Sequence[SiteStanding]) -> dict[str, int]:
    """How many troubles each account has: of those that have most, and ``OTHER`` for the rest.

    The shop of the environment counts as one, by its connector. Of equals the older trouble first.
    """
    names = {site.instance_id: site.source for site in sites if site.instance_id}
    counts, oldest = Counter[str](), dict[str, float]()
    for trouble in found:
        name = names.get(trouble.source, trouble.source)
        if name:
            counts[name] += 1
            began = math.inf if trouble.since is None else trouble.since
            oldest[name] = min(oldest.get(name, math.inf), began)
    ranked = sorted(counts, key=lambda name: (-counts[name], oldest[name], name))
    told = {name: counts[name] for name in ranked[:MOST_ACCOUNTS]}
    rest = sum(counts[name] for name in ranked[MOST_ACCOUNTS:])
    return told | {OTHER: rest + told.get(OTHER, 0)}


def locked_accounts(evidence: Evidence) -> Iterator[Trouble]:
    """Their deliveries wait as ``account_locked``; sites of the environment go on."""
    count = evidence.locked_accounts
    if count:
        yield Trouble(
            TroubleKind.ACCOUNTS_LOCKED,
            said_many(
                "the secrets of %(num)s account do not open: %(why)s; their deliveries wait",
                "the secrets of %(num)s accounts do not open: %(why)s; their deliveries wait",
                count,
                why=evidence.keys_reason,
            ),
            KEY_STEP,
        )
        return
    for site in evidence.sites:
        named = (site.source, site.instance_id)
        held = sum(evidence.locked_holds.get(source, 0) for source in named)
        if not held:
            continue
        yield Trouble(
            TroubleKind.ACCOUNTS_LOCKED,
            said_many(
                "1 delivery is held of site %(site)s (account_locked): our keys open what its"
                " account gave, those of a worker did not",
                "%(num)s deliveries are held of site %(site)s (account_locked): our keys open what"
                " its account gave, those of a worker did not",
                held,
                site=site.id,
            ),
            said(
                "start gateways and workers again with the SECRETS_KEY that is set here; what is"
                " held goes on within a minute"
            ),
            source=site.source,
        )


def paused_accounts(evidence: Evidence) -> Iterator[Trouble]:
    """Beside a pause of the whole site, which has a line of its own."""
    for site in evidence.sites:
        if site.account is not AccountState.PAUSED or site.state is SiteState.REMOVED:
            continue
        why = f" ({site.paused_why})" if site.paused_why else ""
        yield Trouble(
            TroubleKind.ACCOUNT_PAUSED,
            said(
                "the account of site %(site)s (%(connector)s) is paused%(why)s: its ratings wait",
                site=site.id,
                connector=site.connector,
                why=why,
            ),
            said("`ratings-sync account resume %(site)s`", site=site.id),
            source=site.source,
        )


def revoked_accounts(evidence: Evidence) -> Iterator[Trouble]:
    """Nothing of their sites can cross until another is given."""
    for site in evidence.sites:
        if site.account is not AccountState.REVOKED or site.state is SiteState.REMOVED:
            continue
        yield Trouble(
            TroubleKind.ACCOUNT_REVOKED,
            said(
                "the account of site %(site)s (%(connector)s) is revoked%(since)s: its ratings are"
                " kept and wait",
                site=site.id,
                connector=site.connector,
                since=since(site.revoked_at, evidence.now),
            ),
            said(
                "`ratings-sync account add %(site)s --connector %(connector)s` gives it another,"
                " with a new address for its webhooks",
                site=site.id,
                connector=site.connector,
            ),
            site.revoked_at,
            site.source,
        )


def refused_accounts(evidence: Evidence) -> Iterator[Trouble]:
    """A remote does not accept our credentials."""
    sources = {site.id: site.source for site in evidence.sites}
    of_accounts = {site.id for site in evidence.sites if site.account is not None}
    for side in evidence.failing_accounts:
        who, step = side.connector, said("correct its credentials or permissions")
        if side.side == "wix":
            who = "Wix"
        elif side.site_id in of_accounts:
            step = said(
                "give good ones: `ratings-sync account set %(site)s NAME`", site=side.site_id
            )
        moment = side.since.timestamp()
        yield Trouble(
            TroubleKind.ACCOUNT_REFUSED,
            said(
                "%(who)s refuses our credentials for site %(site)s%(since)s: %(answer)s",
                who=who,
                site=side.site_id,
                since=since(moment, evidence.now),
                answer=side.reason,
            ),
            joined(
                "; ", [step, said("a probe each minute then lets all that waits go on by itself")]
            ),
            moment,
            sources.get(side.site_id, ""),
        )
