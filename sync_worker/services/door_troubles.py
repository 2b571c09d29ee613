"""Troubles at the door: a source of which nothing gets in."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.processes import ProcessKind
from sync_worker.ledger.administration.door_counts import DoorSource
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import Trouble, TroubleKind, since

# Anybody may send a forged webhook: where genuine ones came in, one alone says nothing.
MIN_REFUSALS = 3
EXPIRED = "expired"
NOT_SIGNED = frozenset({"DecodeError", "no_key"})


def refused_webhooks(evidence: Evidence) -> Iterator[Trouble]:
    """Sources whose webhooks are all refused, with the settings that the gateways have now."""
    started = [
        process.started_at
        for process in evidence.processes
        if process.kind is ProcessKind.GATEWAY and process.is_alive
    ]
    for source in evidence.door:
        if source.source in evidence.sources and _is_deaf(source, min(started, default=0.0)):
            yield _trouble(source, evidence.now)


def _is_deaf(source: DoorSource, started_at: float) -> bool:
    if source.refusing_since is None or source.refused_at is None:
        return False
    # Refused under earlier settings: whether these are right nobody knows yet.
    if source.refused_at < started_at:
        return False
    has_accepted = source.accepted_at is not None and source.accepted_at >= started_at
    return source.refusals >= MIN_REFUSALS or not has_accepted


def _trouble(source: DoorSource, now: float) -> Trouble:
    who = "Wix" if source.source == "wix" else source.source
    count = "one" if source.refusals == 1 else f"{source.refusals}"
    why, next_step = _reason(source, who)
    return Trouble(
        TroubleKind.WEBHOOKS_REFUSED,
        f"every webhook of {who} is refused{since(source.refusing_since, now)} ({count} so far):"
        f" {why}",
        next_step,
        source.refusing_since,
        "" if who == "Wix" else source.source,
    )


def _reason(source: DoorSource, who: str) -> tuple[str, str]:
    """Why they are refused, and what to do."""
    if source.refused_result == "unreadable":
        return (
            f"signed well, but not in the form of its manifest ({source.refused_reason})",
            f"capture one, and `ratings-sync connector check {source.source} --delivery FILE`",
        )
    if source.refused_reason == EXPIRED:
        return (
            "they are too old when they come, or a clock is wrong",
            "let NTP set the clock of the gateway's machine",
        )
    if source.source == "wix":
        why = "they are not signed by the key in WIX_PUBLIC_KEY"
        if source.refused_reason in NOT_SIGNED:
            why = "what comes is no signed webhook of Wix"
        return (
            why,
            "copy the public key from your app's dashboard (Webhooks) into WIX_PUBLIC_KEY, and"
            " start the gateway again",
        )
    return (
        "they are not signed with the secret that its manifest names",
        f"set the webhook secret that {who} has (webhook.verify of its manifest names the"
        " setting), and start the gateway again",
    )
