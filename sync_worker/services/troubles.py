"""The list of troubles: why a rating would not cross now, since when, and what to do.

Pure: facts in, sentences out. ``status`` and ``doctor`` say the same, since both ask here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from sync_worker.core.said import joined, said, said_many
from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.standing import SiteStanding
from sync_worker.services.account_troubles import (
    locked_accounts,
    paused_accounts,
    refused_accounts,
    revoked_accounts,
)
from sync_worker.services.door_troubles import refused_webhooks
from sync_worker.services.evidence import Evidence
from sync_worker.services.process_troubles import lost_processes, two_installations, wrong_clocks
from sync_worker.services.setup_troubles import (
    connectors_not_set_up,
    ledger_not_written,
    never_compared,
    not_set_up,
    shops_twice,
    unread_connectors,
)
from sync_worker.services.trouble import Trouble, TroubleKind, at, since

DELIVERY_SECONDS = 300.0
BUDGET_SECONDS = 10.0  # a burst that ends sooner is what a budget is for
CERTIFICATE_DAYS = 7.0
DAY_SECONDS = 86_400.0

Rule = Callable[[Evidence], Iterator[Trouble]]


def troubles(evidence: Evidence) -> list[Trouble]:
    """All of them, in the order in which one would put them right."""
    return [trouble for rule in RULES for trouble in rule(evidence)]


MAX_OF_A_KIND = 5  # shown to people, of a fleet's many


def shortened(found: Sequence[Trouble]) -> list[Trouble]:
    """For people: of each kind the first ones, and how many more there are."""
    shown, counts = list[Trouble](), Counter(trouble.kind for trouble in found)
    seen = Counter[TroubleKind]()
    for trouble in found:
        seen[trouble.kind] += 1
        if seen[trouble.kind] <= MAX_OF_A_KIND:
            shown.append(trouble)
        elif seen[trouble.kind] == counts[trouble.kind]:
            more = counts[trouble.kind] - MAX_OF_A_KIND
            kind = str(trouble.kind).replace("_", " ")
            words = said("%(num)s more like this: %(kind)s", num=more, kind=kind)
            step = said(
                "`ratings-sync status --json` names all; `ratings-sync site list` shows each site"
            )
            shown.append(Trouble(trouble.kind, words, step))
    return shown


def redis_away(evidence: Evidence) -> Iterator[Trouble]:
    if evidence.redis_reason:
        yield Trouble(
            TroubleKind.REDIS,
            said(
                "Redis does not answer (%(why)s): what is accepted waits",
                why=evidence.redis_reason,
            ),
            said(
                "check REDIS_URL (host, port, password, TLS as rediss://) and that the server runs"
            ),
        )


def paused_sites(evidence: Evidence) -> Iterator[Trouble]:
    for site in evidence.sites:
        if site.state not in (SiteState.PAUSED, SiteState.RECOVERY):
            continue
        which = {"site": site.id, "connector": site.connector}
        next_step = said("`ratings-sync site resume --site %(site)s`", site=site.id)
        if site.state is SiteState.PAUSED:
            sentence = said(
                "site %(site)s (%(connector)s) is paused%(until_and_why)s: its ratings wait",
                until_and_why=_until_and_why(site, evidence.now),
                **which,
            )
        elif site.is_changed and not site.is_compared:
            sentence = said(
                "site %(site)s (%(connector)s) has changed its API of Wix: no delete crosses, and"
                " no sweep begins",
                **which,
            )
            next_step = said(
                "`ratings-sync reconcile --site %(site)s --dry-run` shows what the new baseline"
                " writes, `ratings-sync reconcile --site %(site)s` does it, and the site goes on",
                site=site.id,
            )
        else:
            sentence = said(
                "site %(site)s (%(connector)s) is in recovery: no delete crosses, and no sweep"
                " begins",
                **which,
            )
        yield Trouble(TroubleKind.PAUSED, sentence, next_step, source=site.source)


def _until_and_why(site: SiteStanding, now: float) -> str:
    told = list[str]()
    if site.rests_until is not None:
        told.append(said(" until %(at)s", at=at(site.rests_until, now)))
    if site.rests_why:
        told.append(f" ({site.rests_why})")
    return joined("", told)


def remotes_away(evidence: Evidence) -> Iterator[Trouble]:
    for look in evidence.remotes:
        if look.is_refused and look.site is not None:
            yield Trouble(
                TroubleKind.REMOTE_REFUSES,
                said(
                    "%(remote)s refuses our credentials for site %(site)s: %(answer)s",
                    remote=look.remote,
                    site=look.site,
                    answer=look.said,
                ),
                said(
                    "is the app still installed there? if its owner has removed it: `ratings-sync"
                    " site remove --site %(site)s`; if other sites are refused, too, correct the"
                    " app's secret in .env or in its file, and start the processes again",
                    site=look.site,
                ),
            )
            continue
        if look.is_refused:
            yield Trouble(
                TroubleKind.REMOTE_REFUSES,
                said(
                    "%(remote)s refuses our credentials: %(answer)s",
                    remote=look.remote,
                    answer=look.said,
                ),
                said(
                    "correct its secret or token in .env or in its file, and start the processes"
                    " again"
                ),
            )
            continue
        yield Trouble(
            TroubleKind.REMOTE_AWAY,
            said("%(remote)s cannot be read: %(answer)s", remote=look.remote, answer=look.said),
            said(
                "what waits is tried again for 48 hours; if it stays, check its address, and ask"
                " its operator"
            ),
        )


def disabled_hooks(evidence: Evidence) -> Iterator[Trouble]:
    for hooks in evidence.disabled_hooks:
        yield Trouble(
            TroubleKind.HOOKS_DISABLED,
            said(
                "%(connector)s has disabled our webhooks: %(topics)s",
                connector=hooks.connector,
                topics=", ".join(hooks.topics),
            ),
            said(
                "let the gateway answer, then `ratings-sync connector webhooks enable"
                " %(connector)s`; a worker tries that by itself (HOOK_CHECK_SECONDS)",
                connector=hooks.connector,
            ),
            source=hooks.connector,
        )


def used_up_budgets(evidence: Evidence) -> Iterator[Trouble]:
    for waiting in evidence.waiting:
        if waiting.is_for_budget and waiting.oldest_seconds > BUDGET_SECONDS:
            yield Trouble(
                TroubleKind.BUDGET_USED_UP,
                said_many(
                    "a request budget is used up: 1 delivery waits of %(source)s for it%(since)s",
                    "a request budget is used up: %(num)s deliveries wait of %(source)s for"
                    " it%(since)s",
                    waiting.count,
                    source=waiting.source,
                    since=since(waiting.oldest_at, evidence.now),
                ),
                said(
                    "nothing is lost, they go on as requests are free; WIX_BUDGET_PER_MINUTE and"
                    " `http.budget` of the manifest say how many, no more than the system allows"
                ),
                waiting.oldest_at,
                waiting.source,
            )


def late_deliveries(evidence: Evidence) -> Iterator[Trouble]:
    for waiting in evidence.waiting:
        if not waiting.is_for_budget and waiting.oldest_seconds > DELIVERY_SECONDS:
            yield Trouble(
                TroubleKind.DELIVERY_WAITS,
                said_many(
                    "1 delivery waits of %(source)s on the way, the oldest%(since)s",
                    "%(num)s deliveries wait of %(source)s on the way, the oldest%(since)s",
                    waiting.count,
                    source=waiting.source,
                    since=since(waiting.oldest_at, evidence.now),
                ),
                said(
                    "the other lines say why; if there are none: `ratings-sync history`, and the"
                    " worker's log"
                ),
                waiting.oldest_at,
                waiting.source,
            )


def failing_site_work(evidence: Evidence) -> Iterator[Trouble]:
    for fault in evidence.site_faults:
        yield Trouble(
            TroubleKind.SITE_WORK_FAILS,
            said_many(
                "the %(work)s of %(source)s has failed once: %(error)s",
                "the %(work)s of %(source)s has failed %(num)s times in a row: %(error)s",
                fault.failures,
                work=fault.work,
                source=fault.source,
                error=fault.error,
            ),
            said(
                "the line %(work)s_failed in the worker's log says more; it is tried again by"
                " itself",
                work=fault.work,
            ),
            evidence.now - fault.failed_seconds_ago,
            fault.source,
        )


def ending_certificates(evidence: Evidence) -> Iterator[Trouble]:
    for look in evidence.addresses:
        if look.certificate_ends_at is None:
            continue
        left = look.certificate_ends_at - evidence.now
        if left > CERTIFICATE_DAYS * DAY_SECONDS:
            continue
        which = {"whose": look.whose, "host": look.host}
        ends = {"at": at(look.certificate_ends_at, evidence.now)}
        sentence = said(
            "the certificate of %(whose)s (%(host)s) ends at %(at)s: no request passes after that",
            **which,
            **ends,
        )
        if left <= 0:
            sentence = said(
                "the certificate of %(whose)s (%(host)s) has ended at %(at)s: no request passes"
                " after that",
                **which,
                **ends,
            )
        yield Trouble(
            TroubleKind.CERTIFICATE,
            sentence,
            said("have it renewed, and see why that did not happen by itself"),
        )


RULES: Sequence[Rule] = (
    not_set_up,
    never_compared,
    ledger_not_written,
    unread_connectors,
    connectors_not_set_up,
    shops_twice,
    lost_processes,
    redis_away,
    two_installations,
    paused_sites,
    locked_accounts,
    paused_accounts,
    revoked_accounts,
    refused_webhooks,
    refused_accounts,
    remotes_away,
    disabled_hooks,
    used_up_budgets,
    late_deliveries,
    failing_site_work,
    wrong_clocks,
    ending_certificates,
)
