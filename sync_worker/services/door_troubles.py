"""Troubles at the door: a source of which nothing gets in."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.processes import ProcessKind
from sync_worker.core.said import said
from sync_worker.core.values import AccountState, connector_of
from sync_worker.ledger.administration.door_counts import DoorSource
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import Trouble, TroubleKind, since

# Anybody may send a forged webhook: where genuine ones came in, one alone says nothing.
MIN_REFUSALS = 3
EXPIRED = "expired"
IN_USE = (AccountState.NEW, AccountState.ACTIVE)
NOT_SIGNED = frozenset({"DecodeError", "no_key"})


def refused_webhooks(evidence: Evidence) -> Iterator[Trouble]:
    """Sources whose webhooks are all refused, with the settings that the gateways have now."""
    started = [
        process.started_at
        for process in evidence.processes
        if process.kind is ProcessKind.GATEWAY and process.is_alive
    ]
    accounts = {site.source: site.id for site in evidence.sites if site.account in IN_USE}
    for source in evidence.door:
        is_ours = source.source in evidence.sources or source.source in accounts
        if is_ours and _is_deaf(source, min(started, default=0.0)):
            yield _trouble(source, evidence.now, accounts.get(source.source))


def _is_deaf(source: DoorSource, started_at: float) -> bool:
    if source.refusing_since is None or source.refused_at is None:
        return False
    # Refused under earlier settings: whether these are right nobody knows yet.
    if source.refused_at < started_at:
        return False
    has_accepted = source.accepted_at is not None and source.accepted_at >= started_at
    return source.refusals >= MIN_REFUSALS or not has_accepted


def _trouble(source: DoorSource, now: float, site: int | None) -> Trouble:
    """``site``: whose account it is; ``None``: the environment's, or Wix."""
    who = "Wix" if source.source == "wix" else source.source
    if site is not None:
        connector = connector_of(source.source)
        who = said("site %(site)s (%(connector)s)", site=site, connector=connector)
    count = said("one") if source.refusals == 1 else f"{source.refusals}"
    why, next_step = _reason(source, who, site)
    return Trouble(
        TroubleKind.WEBHOOKS_REFUSED,
        said(
            "every webhook of %(who)s is refused%(since)s (%(count)s so far): %(why)s",
            who=who,
            since=since(source.refusing_since, now),
            count=count,
            why=why,
        ),
        next_step,
        source.refusing_since,
        "" if who == "Wix" else source.source,
    )


def _reason(source: DoorSource, who: str, site: int | None) -> tuple[str, str]:
    """Why they are refused, and what to do."""
    connector = connector_of(source.source)
    if source.refused_result == "unreadable":
        return (
            said(
                "signed well, but not in the form of its manifest (%(reason)s)",
                reason=source.refused_reason,
            ),
            said(
                "capture one, and `ratings-sync connector check %(connector)s --delivery FILE`",
                connector=connector,
            ),
        )
    if source.refused_reason == EXPIRED:
        return (
            said("they are too old when they come, or a clock is wrong"),
            said("let NTP set the clock of the gateway's machine"),
        )
    if source.source == "wix":
        why = said("they are not signed by the key in WIX_PUBLIC_KEY")
        if source.refused_reason in NOT_SIGNED:
            why = said("what comes is no signed webhook of Wix")
        return (
            why,
            said(
                "copy the public key from your app's dashboard (Webhooks) into WIX_PUBLIC_KEY, and"
                " start the gateway again"
            ),
        )
    if site is not None:
        return (
            said("they are not signed with the secret that its account gave"),
            said(
                "`ratings-sync account set %(site)s NAME` gives the secret that its shop signs"
                " with, or its owner sets the one that we have in the shop",
                site=site,
            ),
        )
    return (
        said("they are not signed with the secret that its manifest names"),
        said(
            "set the webhook secret that %(who)s has (webhook.verify of its manifest names the"
            " setting), and start the gateway again",
            who=who,
        ),
    )
