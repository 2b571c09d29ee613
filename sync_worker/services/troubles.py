"""The list of troubles: why a rating would not cross now, since when, and what to do.

Pure: facts in, sentences out. ``status`` and ``doctor`` say the same, since both ask here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

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
            words = f"{more} more like this: {str(trouble.kind).replace('_', ' ')}"
            step = (
                "`ratings-sync status --json` names all; `ratings-sync site list` shows each site"
            )
            shown.append(Trouble(trouble.kind, words, step))
    return shown


def not_set_up(evidence: Evidence) -> Iterator[Trouble]:
    """There is nothing yet that a rating could cross."""
    setup = "`ratings-sync setup` connects a site step by step, `ratings-sync site add` at once"
    if evidence.missing_ledger:
        where, _, step = evidence.missing_ledger.partition(": ")
        yield Trouble(TroubleKind.NO_LEDGER, where, step)
    elif evidence.ledger_reason:
        return
    elif not evidence.sites:
        yield Trouble(TroubleKind.NO_SITE, "no site is connected yet: no rating crosses", setup)
    elif not any(site.is_given or site.account for site in evidence.sites):
        yield Trouble(
            TroubleKind.NO_SITE,
            "no site has an external account yet: no rating crosses",
            "`ratings-sync account add SITE --connector NAME` gives it one",
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
            f"both sides of site {site.id} ({site.connector}) were never compared: what was there"
            " before stays apart, and polls and sweeps never start",
            f"`ratings-sync reconcile --site {site.id} --dry-run` shows what would be written,"
            f" `ratings-sync reconcile --site {site.id}` does it",
            source=site.source,
        )


def ledger_not_written(evidence: Evidence) -> Iterator[Trouble]:
    if evidence.ledger_reason:
        yield Trouble(
            TroubleKind.LEDGER,
            f"the ledger cannot be written: {evidence.ledger_reason}; webhooks are answered 503",
            "is the disk full, the file or its folder read-only for this user, or the database's"
            " server away or a standby? no process has to be started again",
        )


def unread_connectors(evidence: Evidence) -> Iterator[Trouble]:
    # Before there is a site, nobody needs one.
    if evidence.connectors_reason and evidence.sites:
        yield Trouble(
            TroubleKind.MISCONFIGURED,
            f"the connectors cannot be read: {evidence.connectors_reason}",
            "set what it names in .env or in the environment; each process needs it",
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
                f"site {site.id} uses connector {site.connector}, which CONNECTORS does not name or"
                " none of whose settings is set: its ratings wait",
                f"`ratings-sync connector show {site.connector}` lists its settings; set them in"
                " .env or in the environment of each process",
                source=site.source,
            )


def shops_twice(evidence: Evidence) -> Iterator[Trouble]:
    """The environment was set to a shop that is another site's account."""
    for source, sentence, step in evidence.shops_twice:
        yield Trouble(TroubleKind.MISCONFIGURED, sentence, step, source=source)


def redis_away(evidence: Evidence) -> Iterator[Trouble]:
    if evidence.redis_reason:
        yield Trouble(
            TroubleKind.REDIS,
            f"Redis does not answer ({evidence.redis_reason}): what is accepted waits",
            "check REDIS_URL (host, port, password, TLS as rediss://) and that the server runs",
        )


def paused_sites(evidence: Evidence) -> Iterator[Trouble]:
    words = {
        SiteState.PAUSED: "is paused",
        SiteState.RECOVERY: "is in recovery: no delete crosses, and no sweep begins",
    }
    for site in evidence.sites:
        if site.state not in words:
            continue
        what, next_step = words[site.state], f"`ratings-sync site resume --site {site.id}`"
        if site.state is SiteState.PAUSED:
            what = f"is paused{_until_and_why(site, evidence.now)}: its ratings wait"
        if site.state is SiteState.RECOVERY and site.is_changed and not site.is_compared:
            what = "has changed its API of Wix: no delete crosses, and no sweep begins"
            next_step = (
                f"`ratings-sync reconcile --site {site.id} --dry-run` shows what the new baseline"
                f" writes, `ratings-sync reconcile --site {site.id}` does it, and the site goes on"
            )
        sentence = f"site {site.id} ({site.connector}) {what}"
        yield Trouble(TroubleKind.PAUSED, sentence, next_step, source=site.source)


def _until_and_why(site: SiteStanding, now: float) -> str:
    until = "" if site.rests_until is None else f" until {at(site.rests_until, now)}"
    return until + (f" ({site.rests_why})" if site.rests_why else "")


def remotes_away(evidence: Evidence) -> Iterator[Trouble]:
    for look in evidence.remotes:
        if look.is_refused and look.site is not None:
            yield Trouble(
                TroubleKind.REMOTE_REFUSES,
                f"{look.remote} refuses our credentials for site {look.site}: {look.said}",
                "is the app still installed there? if its owner has removed it: `ratings-sync site"
                f" remove --site {look.site}`; if other sites are refused, too, correct the app's"
                " secret in .env or in its file, and start the processes again",
            )
            continue
        if look.is_refused:
            yield Trouble(
                TroubleKind.REMOTE_REFUSES,
                f"{look.remote} refuses our credentials: {look.said}",
                "correct its secret or token in .env or in its file, and start the processes again",
            )
            continue
        yield Trouble(
            TroubleKind.REMOTE_AWAY,
            f"{look.remote} cannot be read: {look.said}",
            "what waits is tried again for 48 hours; if it stays, check its address, and ask its"
            " operator",
        )


def disabled_hooks(evidence: Evidence) -> Iterator[Trouble]:
    for hooks in evidence.disabled_hooks:
        yield Trouble(
            TroubleKind.HOOKS_DISABLED,
            f"{hooks.connector} has disabled our webhooks: {', '.join(hooks.topics)}",
            f"let the gateway answer, then `ratings-sync connector webhooks enable"
            f" {hooks.connector}`; a worker tries that by itself (HOOK_CHECK_SECONDS)",
            source=hooks.connector,
        )


def used_up_budgets(evidence: Evidence) -> Iterator[Trouble]:
    for waiting in evidence.waiting:
        if waiting.is_for_budget and waiting.oldest_seconds > BUDGET_SECONDS:
            yield Trouble(
                TroubleKind.BUDGET_USED_UP,
                f"a request budget is used up: {_deliveries(waiting.count)} of {waiting.source}"
                f" for it{since(waiting.oldest_at, evidence.now)}",
                "nothing is lost, they go on as requests are free; WIX_BUDGET_PER_MINUTE and"
                " `http.budget` of the manifest say how many, no more than the system allows",
                waiting.oldest_at,
                waiting.source,
            )


def late_deliveries(evidence: Evidence) -> Iterator[Trouble]:
    for waiting in evidence.waiting:
        if not waiting.is_for_budget and waiting.oldest_seconds > DELIVERY_SECONDS:
            yield Trouble(
                TroubleKind.DELIVERY_WAITS,
                f"{_deliveries(waiting.count)} of {waiting.source} on the way, the oldest"
                f"{since(waiting.oldest_at, evidence.now)}",
                "the other lines say why; if there are none: `ratings-sync history`, and the"
                " worker's log",
                waiting.oldest_at,
                waiting.source,
            )


def failing_site_work(evidence: Evidence) -> Iterator[Trouble]:
    for fault in evidence.site_faults:
        times = "once" if fault.failures == 1 else f"{fault.failures} times in a row"
        yield Trouble(
            TroubleKind.SITE_WORK_FAILS,
            f"the {fault.work} of {fault.source} has failed {times}: {fault.error}",
            f"the line {fault.work}_failed in the worker's log says more; it is tried again by"
            " itself",
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
        ends = f"ends at {at(look.certificate_ends_at, evidence.now)}"
        if left <= 0:
            ends = f"has ended at {at(look.certificate_ends_at, evidence.now)}"
        yield Trouble(
            TroubleKind.CERTIFICATE,
            f"the certificate of {look.whose} ({look.host}) {ends}: no request passes after that",
            "have it renewed, and see why that did not happen by itself",
        )


def _deliveries(count: int) -> str:
    return "1 delivery waits" if count == 1 else f"{count} deliveries wait"


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
