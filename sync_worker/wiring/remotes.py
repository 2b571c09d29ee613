"""The live remotes of one process: Wix and the external systems, over shared budgets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from sync_worker.config import Settings
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.values import Side, Site, WixKind
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.catalogue import catalogue_of
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.authorization import Authorization, FixedHeaders
from sync_worker.remotes.http.budget import NoBudget, Wait
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions, Observers
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import ENDPOINTS, WixApi
from sync_worker.remotes.wix.auth import WixAuthorization
from sync_worker.remotes.wix.catalogue import wix_catalogue
from sync_worker.remotes.wix.people import WixPeople
from sync_worker.remotes.wix.ratings import WixRatings
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.telemetry.metrics import count_call, observe_wait, watch_breaker
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.redis_parts import RedisParts

OBSERVERS = Observers(count_call, observe_wait)


def no_probe() -> bool:
    """Of a plugin that has no cheap read."""
    return False


class Remotes:
    """Connects sites to their remotes, each once. Shared by the threads of a process.

    ``is_patient``: for sweeps and files; webhooks go first. ``wait``: how such work waits for the
    budget, some seconds at a time.
    """

    def __init__(self, settings: Settings, connectors: Connectors, redis: RedisParts) -> None:
        self._settings, self._connectors, self._redis = settings, connectors, redis
        self._connections: dict[int, tuple[object, Connection]] = {}
        self._clients: dict[tuple[str, bool], RemoteHttp] = {}
        self._outages: dict[str, Outage] = {}
        self._hooks: dict[str, ExternalHooks] = {}
        self._turn = threading.RLock()

    def connect_patiently(self, site: Site, wait: Wait) -> Connection:
        """The live remotes of a site, for a sweep or a file. Raises Misconfigured."""
        with self._turn:
            return self._connection(site, wait)

    def connect(self, site: Site) -> Connection:
        """The live remotes of a site. Raises Misconfigured."""
        with self._turn:
            # A site may come to use another API of Wix, or another name there, or be probed, as we
            # run.
            where = (site.instance_id, site.wix_api, site.wix_learned)
            known = self._connections.get(site.id)
            if known is None or known[0] != where:
                known = self._connections[site.id] = (where, self._connection(site))
            return known[1]

    def _connection(self, site: Site, wait: Wait | None = None) -> Connection:
        api = self.wix_api(site.instance_id, wait)
        external = self.external(site.connector, wait)
        wix = self._records(site, api)
        remotes: dict[Side, Remote] = {Side.WIX: wix, Side.EXTERNAL: external}
        # A plugin has them or has not: only parent_changed events ask for children, and polls can
        # list the whole.
        children, changed = (getattr(external, name, None) for name in ("children", "changed_page"))
        # So it is with a cheap read.
        probes = {Side.WIX: wix.probe, Side.EXTERNAL: getattr(external, "probe", no_probe)}
        return Connection(
            remotes, WixPeople(api), children, changed, probes, self._polled(site, external)
        )

    def _polled(self, site: Site, external: Remote) -> frozenset[Side]:
        """The sides that a poll looks at: those that may tell nothing by themselves."""
        manifest = self._connectors.manifest(site.connector)
        polled = {Side.EXTERNAL} if manifest.operations.poll is not None else set[Side]()
        if self.has_key(site.instance_id):
            polled.add(Side.WIX)
        return frozenset(polled)

    def catalogues(self, site: Site, wait: Wait) -> Mapping[Side, Catalogue]:
        """What can be rated on both sides of a site. Raises Misconfigured."""
        external = catalogue_of(
            self._connectors.manifest(site.connector), self.external_http(site.connector, wait)
        )
        return {
            Side.WIX: wix_catalogue(self.wix_api(site.instance_id, wait)),
            Side.EXTERNAL: external,
        }

    def has_key(self, instance_id: str) -> bool:
        """Whether its owner's key opens the site, and no app of ours is installed there."""
        return bool(instance_id) and instance_id == self._settings.wix_site_id

    def wix_records(self, site: Site, wait: Wait | None = None) -> WixRatings | WixReviews:
        """A site's ratings on Wix alone, whatever its connector."""
        return self._records(site, self.wix_api(site.instance_id, wait))

    def _records(self, site: Site, api: WixApi) -> WixRatings | WixReviews:
        """Its ratings on Wix, in the API that the site uses."""
        if site.wix_api is WixKind.REVIEWS:
            return WixReviews(api, self._settings.wix_app_id, learned=site.wix_learned)
        return WixRatings(api)

    def wix_api(self, instance_id: str, wait: Wait | None = None) -> WixApi:
        """The API of Wix, as the app on one site."""
        return WixApi(
            self._client(f"wix:{instance_id}", wait, partial(self._wix_http, instance_id))
        )

    def _wix_http(self, instance_id: str, *, is_patient: bool) -> RemoteHttp:
        settings = self._settings
        url = settings.wix_api_base_url
        # A stand-in on this machine is meant where the address is plain HTTP.
        is_local = url.startswith("http://")
        authorization = self._wix_authorization(instance_id, is_local=is_local)
        budget = self._redis.budget(
            f"wix:{instance_id}",
            settings.wix_budget_capacity,
            settings.wix_budget_per_minute,
            is_patient=is_patient,
        )
        return RemoteHttp(
            url,
            remote="wix",
            authorization=authorization,
            budget=budget,
            options=HttpOptions(
                allow_private_hosts=is_local, code_of=error_code, pool_size=settings.slots
            ),
            observers=OBSERVERS,
            outage=self._outage("wix"),
        )

    def _wix_authorization(self, instance_id: str, *, is_local: bool) -> Authorization:
        """A token of the app on the site; or its owner's key, which Wix takes as it is.

        https://dev.wix.com/docs/rest/articles/getting-started/api-keys
        """
        settings = self._settings
        if self.has_key(instance_id):
            key = settings.wix_api_key.get_secret_value()
            return FixedHeaders({"Authorization": key, "wix-site-id": instance_id})
        token_http = RemoteHttp(
            settings.wix_api_base_url,
            remote="wix",
            authorization=FixedHeaders({}),
            budget=NoBudget(),
            options=HttpOptions(allow_private_hosts=is_local),
            observers=OBSERVERS,
            outage=self._outage("wix"),
        )
        return WixAuthorization(
            token_http,
            self._redis.tokens,
            app_id=settings.wix_app_id,
            app_secret=settings.wix_app_secret.get_secret_value(),
            instance_id=instance_id,
            token_path=ENDPOINTS["create_token"][1],
        )

    def external(self, connector: str, wait: Wait | None = None) -> Remote:
        """The external system behind a connector. Raises Misconfigured."""
        manifest = self._connectors.manifest(connector)
        make = partial(self._external_http, manifest)
        client = self._client(f"external:{manifest.id}", wait, make)
        return remote_of(manifest, client, self._redis.first_looks(manifest.id))

    def external_http(self, connector: str, wait: Wait) -> RemoteHttp:
        """The HTTP client of a connector, for those who wait. Raises Misconfigured."""
        manifest = self._connectors.manifest(connector)
        make = partial(self._external_http, manifest)
        return self._client(f"external:{manifest.id}", wait, make)

    def _client(self, name: str, wait: Wait | None, make: Callable[..., RemoteHttp]) -> RemoteHttp:
        """One client for each remote, so one set of connections, and one for those who wait."""
        key = (name, wait is not None)
        with self._turn:
            if key not in self._clients:
                self._clients[key] = make(is_patient=wait is not None)
            return self._clients[key].waiting(wait)

    @property
    def managed_hooks(self) -> list[str]:
        """The connectors whose external system lets us manage our webhooks."""
        return [
            manifest.id
            for manifest in self._connectors.manifests.values()
            if manifest.webhook is not None and manifest.webhook.manage is not None
        ]

    def hooks(self, connector: str) -> ExternalHooks:
        """Our webhooks at one external system. Raises Misconfigured."""
        if connector not in self._hooks:
            manifest = self._connectors.manifest(connector)
            # A check of several calls would begin anew with each refusal of a small budget.
            http = self._external_http(manifest, is_patient=True).waiting(time.sleep)
            self._hooks[connector] = ExternalHooks(manifest, http)
        return self._hooks[connector]

    def _external_http(self, manifest: Manifest, *, is_patient: bool = False) -> RemoteHttp:
        name, budget = f"external:{manifest.id}", manifest.http.budget
        return http_of(
            manifest,
            self._redis.budget(
                name, float(budget.requests), budget.per_minute, is_patient=is_patient
            ),
            self._redis.tokens,
            OBSERVERS,
            self._outage(name),
        )

    def _outage(self, remote: str) -> Outage:
        """One for each remote, not for each site: a quarter of the slots is left to the others."""
        if remote not in self._outages:
            slots = self._settings.slots * 3 // 4
            self._outages[remote] = Outage(slots, observe=watch_breaker(remote))
        return self._outages[remote]
