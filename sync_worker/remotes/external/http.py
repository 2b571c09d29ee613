"""The HTTP client of one connector, by its manifest: pace, patience, credentials, allowed hosts."""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.auth import proof_of
from sync_worker.remotes.http.authorization import WhileCurrent
from sync_worker.remotes.http.budget import AccountSlots, Budget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions, Observers
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.http.tokens import Tokens
from sync_worker.remotes.http.waits import Waits


def http_of(
    manifest: Manifest,
    budget: Budget,
    tokens: Tokens,
    observers: Observers | None = None,
    outage: Outage | None = None,
    is_current: Callable[[], bool] | None = None,
    slots: AccountSlots | None = None,
) -> RemoteHttp:
    """``budget`` and ``tokens``: the fleet's. ``observers``, ``outage`` and ``slots``: as
    RemoteHttp's.

    ``is_current``: asked before each call whether the account still is as the manifest says.
    """
    http, proof = manifest.http, proof_of(manifest, tokens, slots)
    authorization = proof.authorization
    if is_current is not None:
        authorization = WhileCurrent(authorization, is_current)
    backoff = http.backoff
    options = HttpOptions(
        allowed_hosts=frozenset(manifest.allowed_hosts),
        allow_private_hosts=manifest.allow_private_hosts,
        headers=http.headers,
        sign=proof.sign,
        waits=Waits(
            statuses=frozenset(backoff.statuses),
            header=backoff.after_header,
            unit=backoff.after_unit,
            most_seconds=backoff.max_wait_s,
            tries=backoff.attempts,
        ),
        deadline_seconds=http.timeout_s,
        max_body_bytes=http.max_body_bytes,
        pool_size=http.budget.concurrency,
        concurrency=http.budget.concurrency,
    )
    return RemoteHttp(
        manifest.base_url,
        remote=manifest.id,
        authorization=authorization,
        budget=budget,
        options=options,
        observers=observers,
        outage=outage,
        slots=slots,
    )
