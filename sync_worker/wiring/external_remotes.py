"""The external systems of one process: each source with clients, budget and outage of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from sync_worker.core.errors import Held
from sync_worker.core.hold_reasons import NO_ACCOUNT
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Account, OldShop
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.auth import account_mark
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import Wait
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.wiring.accounts.book import AccountBook, LiveAccount
from sync_worker.wiring.clients import OBSERVERS, Clients
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.redis_parts import RedisParts


@dataclass(frozen=True, slots=True)
class Access:
    """What a source is reached with: its manifest, and its account if it has one.

    ``mark``: changes with what the account gives.
    """

    manifest: Manifest
    live: LiveAccount | None = None

    @property
    def mark(self) -> str:
        return self.live.mark if self.live is not None else ""


class ExternalRemotes:
    """Connects to external systems by source: a connector of the environment, or an account.

    What is kept of one account is never another's, nor its own from before a change. Each method
    raises Misconfigured, and for accounts Held and Transient.
    """

    def __init__(
        self, connectors: Connectors, redis: RedisParts, book: AccountBook, clients: Clients
    ) -> None:
        self._connectors, self._redis = connectors, redis
        self._book, self._clients = book, clients

    def access(self, source: str) -> Access:
        if not source:
            raise Held(NO_ACCOUNT, "the site has no external account yet")
        if "/" not in source:
            return Access(self._connectors.manifest(source))
        live = self._book.of_source(source)
        return Access(live.manifest, live)

    def remote(self, access: Access, wait: Wait | None = None) -> Remote:
        """The external system behind a source; ``wait``: for those who can wait."""
        manifest = access.manifest
        name = manifest.source
        # A record of the same id may be of another shop once the settings have changed.
        if access.live is not None:
            name = f"{name}:{account_mark(manifest)}"
        return remote_of(manifest, self.http(access, wait), self._redis.first_looks(name))

    def http(self, access: Access, wait: Wait | None) -> RemoteHttp:
        """The HTTP client of a source."""
        make = partial(self._made, access)
        return self._clients.of(f"external:{access.manifest.source}", wait, make, access.mark)

    def hooks(self, source: str) -> ExternalHooks:
        """Our webhooks at the external system of a source."""
        access = self.access(source)
        address = access.live.address if access.live is not None else ""
        # A check of several calls would begin anew with each refusal of a small budget.
        return ExternalHooks(access.manifest, self.http(access, time.sleep), address)

    def leaving_hooks(self, leaver: Account) -> Iterator[ExternalHooks]:
        """Our webhooks at the shop of an account that has ended, of each address that it had."""
        manifest = self._book.of_leaving(leaver).manifest
        yield from self._hooks_at(manifest, leaver, f"external:{manifest.source}")

    def old_hooks(self, left: OldShop) -> Iterator[ExternalHooks]:
        """The same at a shop that an account has left: it goes on at another meanwhile.

        What is wrong with the one must not be taken for a fault of the other.
        """
        manifest = self._book.of_leaving(left.account, left.sealed).manifest
        yield from self._hooks_at(manifest, left.account, f"external:{manifest.source}:{left.id}")

    def _hooks_at(self, manifest: Manifest, whose: Account, name: str) -> Iterator[ExternalHooks]:
        # Not one of the clients that are kept: those of an account that has ended send nothing.
        http = self._made(Access(manifest), name, is_patient=True)
        try:
            for one in whose.addresses:
                yield ExternalHooks(manifest, http.waiting(time.sleep), one.address)
        finally:
            http.close()

    def _made(self, access: Access, name: str = "", *, is_patient: bool) -> RemoteHttp:
        """``name``: of its budget, outage and slots; by default those of its source."""
        manifest, live = access.manifest, access.live
        name, budget = name or f"external:{manifest.source}", manifest.http.budget
        return http_of(
            manifest,
            self._redis.budget(
                name, float(budget.requests), budget.per_minute, is_patient=is_patient
            ),
            self._redis.tokens,
            OBSERVERS,
            self._clients.outage(
                name,
                host=f"external:{urlsplit(manifest.base_url).netloc}",
                label=f"external:{manifest.id}",
            ),
            None if live is None else partial(self._book.is_current, live),
            self._clients.slots_of(name),
        )
