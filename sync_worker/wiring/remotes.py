"""The live remotes of one process: Wix and the external systems, over shared budgets."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import structlog

from sync_worker.config import Settings
from sync_worker.core.errors import SyncError
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.values import Account, OldShop, Side, Site, WixKind
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.remotes.external.catalogue import catalogue_of
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.http.authorization import Authorization, FixedHeaders
from sync_worker.remotes.http.budget import NoBudget, Wait
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import ENDPOINTS, WixApi
from sync_worker.remotes.wix.auth import WixAuthorization
from sync_worker.remotes.wix.catalogue import wix_catalogue
from sync_worker.remotes.wix.people import WixPeople
from sync_worker.remotes.wix.ratings import WixRatings
from sync_worker.remotes.wix.reviews import WixReviews
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.clients import MAX_CLIENTS, OBSERVERS, Clients
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.external_remotes import Access, ExternalRemotes
from sync_worker.wiring.redis_parts import RedisParts

log = structlog.get_logger(__name__)

# Each holds two clients.
MAX_CONNECTIONS = MAX_CLIENTS // 2


def no_probe() -> bool:
    """Of a plugin that has no cheap read."""
    return False


class Remotes:
    """Connects sites to their remotes, each once. Shared by the threads of a process.

    ``is_patient``: for sweeps and files; webhooks go first. ``wait``: how such work waits for the
    budget, some seconds at a time. ``sites`` keep what answers show of one, for all processes. What
    has to do with a site's external system raises Misconfigured, and of an account Held (revoked,
    its secrets do not open) and Transient.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: Connectors,
        redis: RedisParts,
        book: AccountBook,
        sites: Callable[[], SiteAdmin],
    ) -> None:
        self._sites = sites
        self._settings, self._connectors, self._redis = settings, connectors, redis
        self._clients = Clients(settings.slots)
        self._externals = ExternalRemotes(connectors, redis, book, self._clients)
        self._connections: OrderedDict[int, tuple[object, Connection]] = OrderedDict()
        self._turn = threading.RLock()

    def connect_patiently(self, site: Site, wait: Wait) -> Connection:
        """The live remotes of a site, for a sweep or a file."""
        access = self._externals.access(site.external_source)
        with self._turn:
            return self._connection(site, access, wait)

    def connect(self, site: Site) -> Connection:
        """The live remotes of a site."""
        access, mark = None, ""
        # What the environment holds stays as we run; what an account gives may change.
        if site.external_source != site.connector:
            access = self._externals.access(site.external_source)
            mark = access.mark
        with self._turn:
            # A site may come to use another API of Wix, another name there, another account, or be
            # probed.
            where = (site.instance_id, site.wix_api, site.wix_learned, site.external_source, mark)
            known = self._connections.get(site.id)
            if known is None or known[0] != where:
                access = access or self._externals.access(site.external_source)
                known = self._connections[site.id] = (where, self._connection(site, access))
                if len(self._connections) > MAX_CONNECTIONS:
                    self._connections.popitem(last=False)
            self._connections.move_to_end(site.id)
            return known[1]

    def _connection(self, site: Site, access: Access, wait: Wait | None = None) -> Connection:
        api = self.wix_api(site.instance_id, wait)
        external = self._externals.remote(access, wait)
        wix = self._records(site, api)
        remotes: dict[Side, Remote] = {Side.WIX: wix, Side.EXTERNAL: external}
        # A plugin has them or has not: only parent_changed events ask for children, and polls can
        # list the whole.
        children, changed = (getattr(external, name, None) for name in ("children", "changed_page"))
        # So it is with a cheap read.
        probes = {Side.WIX: wix.probe, Side.EXTERNAL: getattr(external, "probe", no_probe)}
        return Connection(
            remotes, WixPeople(api), children, changed, probes, self._polled(site, access)
        )

    def _polled(self, site: Site, access: Access) -> frozenset[Side]:
        """The sides that a poll looks at: those that may tell nothing by themselves."""
        is_polled = access.manifest.operations.poll is not None
        polled = {Side.EXTERNAL} if is_polled else set[Side]()
        if self.has_key(site.instance_id):
            polled.add(Side.WIX)
        return frozenset(polled)

    def catalogues(self, site: Site, wait: Wait) -> Mapping[Side, Catalogue]:
        """What can be rated on both sides of a site."""
        access = self._externals.access(site.external_source)
        return {
            Side.WIX: wix_catalogue(self.wix_api(site.instance_id, wait)),
            Side.EXTERNAL: catalogue_of(access.manifest, self._externals.http(access, wait)),
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
            note = partial(self._note, site.id)
            app_id = self._settings.wix_app_id
            return WixReviews(api, app_id, learned=site.wix_learned, note=note)
        return WixRatings(api)

    def _note(self, site_id: int, learned: Mapping[str, str]) -> None:
        """Told amid a write whose outcome is known: what is not kept is found out once more."""
        try:
            self._sites().note_learned(site_id, learned)
        except SyncError as error:
            log.warning("learned_not_kept", site=site_id, error=type(error).__name__)

    def wix_api(self, instance_id: str, wait: Wait | None = None) -> WixApi:
        """The API of Wix, as the app on one site."""
        return WixApi(
            self._clients.of(f"wix:{instance_id}", wait, partial(self._wix_http, instance_id))
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
            outage=self._clients.outage(f"wix:{instance_id}", host="wix", label="wix"),
            slots=self._clients.slots_of(f"wix:{instance_id}"),
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
            outage=self._clients.outage(f"wix:{instance_id}", host="wix", label="wix"),
            slots=self._clients.slots_of(f"wix:{instance_id}"),
        )
        return WixAuthorization(
            token_http,
            self._redis.tokens,
            app_id=settings.wix_app_id,
            app_secret=settings.wix_app_secret.get_secret_value(),
            instance_id=instance_id,
            token_path=ENDPOINTS["create_token"][1],
        )

    def external(self, source: str, wait: Wait | None = None) -> Remote:
        """The external system of a source: a connector of the environment, or an account."""
        return self._externals.remote(self._externals.access(source), wait)

    def external_http(self, source: str, wait: Wait) -> RemoteHttp:
        """The HTTP client of a source, for those who wait."""
        return self._externals.http(self._externals.access(source), wait)

    @property
    def managed_hooks(self) -> list[str]:
        """The connectors of the environment whose external system lets us manage our webhooks."""
        return [
            manifest.id
            for manifest in self._connectors.manifests.values()
            if manifest.webhook is not None and manifest.webhook.manage is not None
        ]

    def hooks(self, source: str) -> ExternalHooks:
        """Our webhooks at the external system of a source."""
        return self._externals.hooks(source)

    def leaving_hooks(self, leaver: Account) -> Iterator[ExternalHooks]:
        """Our webhooks at the shop of an account that has ended."""
        return self._externals.leaving_hooks(leaver)

    def old_hooks(self, left: OldShop) -> Iterator[ExternalHooks]:
        """Our webhooks at a shop that an account has left."""
        return self._externals.old_hooks(left)
