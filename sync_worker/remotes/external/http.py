"""The HTTP client of one connector, by its manifest: pace, patience, credentials, allowed hosts."""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.auth import proof_of
from sync_worker.remotes.http.client import Budget, RemoteHttp
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.http.tokens import Tokens
from sync_worker.remotes.http.waits import Waits


def http_of(
    manifest: Manifest,
    budget: Budget,
    tokens: Tokens,
    observe: Callable[[str, str, int | str, float], None] = lambda *_: None,
    observe_wait: Callable[[str, float], None] = lambda *_: None,
    outage: Outage | None = None,
) -> RemoteHttp:
    """``budget`` and ``tokens``: the fleet's.

    ``observe``, ``observe_wait``, ``outage``: as RemoteHttp's.
    """
    http, proof = manifest.http, proof_of(manifest, tokens)
    backoff = http.backoff
    return RemoteHttp(
        manifest.base_url,
        remote=manifest.id,
        authorization=proof.authorization,
        sign=proof.sign,
        budget=budget,
        allowed_hosts=frozenset(manifest.allowed_hosts),
        allow_private_hosts=manifest.allow_private_hosts,
        headers=http.headers,
        deadline_seconds=http.timeout_s,
        max_body_bytes=http.max_body_bytes,
        pool_size=http.budget.concurrency,
        concurrency=http.budget.concurrency,
        waits=Waits(
            frozenset(backoff.statuses),
            backoff.after_header,
            backoff.after_unit,
            backoff.max_wait_s,
            backoff.attempts,
        ),
        observe=observe,
        observe_wait=observe_wait,
        outage=outage,
    )
