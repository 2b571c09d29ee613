"""Gathers what the list of troubles is made of: from the ledger, from Redis, from the remotes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured, NoLedger, Permanent, SyncError
from sync_worker.core.values import Site, SiteState
from sync_worker.doctor.addresses import Place, look_at
from sync_worker.doctor.check import first_line
from sync_worker.ledger.accounts.site_sides import failing_accounts
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.administration.site_pages import SiteFilter
from sync_worker.ledger.statements.clock import seen_times
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.hooks import HookState
from sync_worker.runtime.waiting import shortly
from sync_worker.services.evidence import AddressLook, Bounds, DisabledHooks, Evidence, RemoteLook
from sync_worker.services.trouble import Trouble
from sync_worker.services.troubles import troubles
from sync_worker.wiring import Wiring
from sync_worker.wiring.accounts.own_shops import OwnShops
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.databases import Databases
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.secret_keys import locked

MAX_LOOKS = 20  # of remotes and addresses: who has more asks the alerts
LOOK_THREADS = 8
DENIED = (401, 403)
WIX_DENIED = (400, 401, 403, 404)  # of the token that is asked for with the app's id and secret


def find_troubles(wiring: Wiring, *, is_offline: bool, asks_remotes: bool = True) -> list[Trouble]:
    """All that is known to be wrong now.

    ``is_offline``: nothing but the ledger and Redis is asked; ``asks_remotes``: false where
    somebody else reads from them anyway.
    """
    evidence = local_evidence(wiring)
    # Nobody knows which sites there are, or which systems they use.
    if is_offline or not evidence.sites or evidence.connectors_reason:
        return troubles(evidence)
    hooks = our_hooks(wiring, evidence)
    evidence = replace(with_addresses(wiring, evidence, hooks), disabled_hooks=disabled(hooks))
    if asks_remotes:
        evidence = replace(evidence, remotes=failed_reads(wiring, evidence))
    return troubles(evidence)


class Known(Protocol):
    """The parts of a process that the ledger's, Redis' and the addresses' facts come from."""

    @property
    def settings(self) -> Settings: ...

    @property
    def databases(self) -> Databases: ...

    @property
    def redis(self) -> RedisParts: ...

    @property
    def admin(self) -> LedgerAdmin: ...

    @property
    def manifests(self) -> dict[str, Manifest]: ...

    @property
    def connectors(self) -> Connectors: ...


def local_evidence(wiring: Known, bounds: Bounds | None = None) -> Evidence:
    """What the ledger and Redis know, all of it without ``bounds``.

    A ledger that cannot be read is a fact, too.
    """
    redis = redis_reason(wiring)
    try:
        evidence = _of_ledger(wiring, bounds)
    except NoLedger as error:
        evidence = Evidence(now=time.time(), missing_ledger=error.message)
    except SyncError as error:
        reason = wiring_reason(wiring) or error.message
        evidence = Evidence(now=time.time(), ledger_reason=reason)
    return replace(evidence, redis_reason=redis)


def _of_ledger(wiring: Known, bounds: Bounds | None) -> Evidence:
    admin = wiring.admin
    # Asked once: manifests that are refused would be read anew at each question.
    reason = connectors_reason(wiring)
    manifests = {} if reason else wiring.manifests
    set_up = None if reason else frozenset(manifests)
    bounded = _all_of(admin) if bounds is None else _some_of(admin, bounds, set_up or frozenset())
    shut = locked(wiring.settings, admin.sealed.keys_in_use())
    with admin.engine.connect() as connection:
        times = seen_times(connection)
        failing = failing_accounts(connection)
    return Evidence(
        now=times.told,
        ledger_reason=wiring.databases.up_check.reason(),
        clock_ahead=times.raw - time.time(),
        is_sqlite=wiring.settings.is_sqlite,
        processes=admin.heartbeats.all(),
        connectors_reason=reason,
        connectors=set_up,
        sources=frozenset(_hooked(wiring, manifests)),
        failing_accounts=failing,
        site_faults=SqlSiteFaults(admin.transactions).standing(),
        locked_accounts=shut.accounts,
        keys_reason=shut.reason,
        shops_twice=[] if reason else _shops_twice(wiring),
        **bounded,
    )


def _all_of(admin: LedgerAdmin) -> dict[str, Any]:
    """The facts of which there are as many as sites or deliveries."""
    return {
        "door": admin.door_counts.sources(),
        "sites": admin.standing.sites(),
        "waiting": admin.standing.waiting(),
        "locked_holds": admin.standing.locked_holds(),
    }


def _some_of(admin: LedgerAdmin, bounds: Bounds, set_up: frozenset[str]) -> dict[str, Any]:
    """The same, within bounds."""
    most, sources = bounds.most, bounds.sources
    door = admin.door_counts.refusing(most, sources)
    sites = admin.standing.some_sites(most, set_up)
    known = {site.id for site in sites}
    refusing = admin.standing.of_sources([one.source for one in door])
    sites = [*sites, *(site for site in refusing if site.id not in known)]
    if bounds.site is not None:
        sites = admin.standing.one_site(bounds.site.id)
    return {
        "door": door,
        "sites": sites,
        "waiting": admin.standing.waiting(most, sources),
        "locked_holds": admin.standing.locked_holds(most),
    }


def connectors_reason(wiring: Known) -> str:
    """Why the manifests cannot be read; empty if they can."""
    try:
        _ = wiring.manifests
    except Misconfigured as error:
        return error.message
    return ""


def _shops_twice(wiring: Known) -> list[tuple[str, str, str]]:
    found = OwnShops(wiring.connectors, wiring.admin.transactions).twice()
    return [(one.source, one.line, one.next_step) for one in found]


def _hooked(wiring: Known, manifests: Mapping[str, Manifest]) -> list[str]:
    """Whose webhooks the gateway takes; without an app of ours none of Wix."""
    wix = ["wix"] if wiring.settings.has_app else []
    hooked = [name for name, manifest in manifests.items() if manifest.webhook is not None]
    return wix + hooked


def wiring_reason(wiring: Known) -> str:
    """What the database says as it is written to; empty if it cannot even be opened."""
    try:
        return wiring.databases.up_check.reason()
    except SyncError:
        return ""


def redis_reason(wiring: Known) -> str | None:
    """Why Redis does not answer; ``None``: it is nowhere set, and `up` does not run here."""
    try:
        wiring.redis.broker_figures()
    except Misconfigured:
        return None
    except RedisError as error:
        return first_line(error) or type(error).__name__
    return ""


def used_connectors(wiring: Known, evidence: Evidence) -> list[str]:
    """Those of active sites, with what the environment holds. The workers ask for each account."""
    active = [site for site in evidence.sites if site.state is SiteState.ACTIVE]
    used = [site.connector for site in active if site.is_of_environment]
    return [name for name in used if name in wiring.manifests][:MAX_LOOKS]


def failed_reads(wiring: Wiring, evidence: Evidence) -> list[RemoteLook]:
    """Of one cheap read of Wix and of each external system in use, those that failed."""
    reads: list[Callable[[], RemoteLook | None]] = []
    active = wiring.admin.site_pages.page(SiteFilter(SiteState.ACTIVE), limit=1)
    # Credentials of the app are the same on every site; a site that lost it is an account's fault.
    reads += [partial(_wix, wiring, row.site) for row in active]
    reads += [partial(_external, wiring, name) for name in used_connectors(wiring, evidence)]
    with ThreadPoolExecutor(LOOK_THREADS) as pool:
        looks = list(pool.map(lambda read: read(), reads))
    return [look for look in looks if look is not None]


def _wix(wiring: Wiring, site: Site) -> RemoteLook | None:
    api = wiring.remotes.wix_api(site.instance_id)
    # An owner's key has no app instance to ask for.
    if wiring.remotes.has_key(site.instance_id):
        return _look("Wix", wiring.remotes.wix_records(site).probe, WIX_DENIED)
    look = _look("Wix", lambda: api.call("get_instance"), WIX_DENIED)
    return None if look is None else replace(look, site=site.id)


def _external(wiring: Wiring, connector: str) -> RemoteLook | None:
    probe = getattr(wiring.remotes.external(connector), "probe", None)
    return None if probe is None else _look(connector, probe, DENIED)


def _look(remote: str, read: Callable[[], object], denied: Sequence[int]) -> RemoteLook | None:
    try:
        shortly(read, time.sleep)
    except SyncError as error:
        is_unauthorized = isinstance(error, Permanent) and error.reason == "unauthorized"
        return RemoteLook(remote, str(error), is_unauthorized or error.facts.status in denied)
    return None


def our_hooks(wiring: Wiring, evidence: Evidence) -> dict[str, list[HookState]]:
    """Our webhooks at the systems in use that let us look, by connector."""
    managed = set(wiring.remotes.managed_hooks)
    names = [name for name in used_connectors(wiring, evidence) if name in managed]
    with ThreadPoolExecutor(LOOK_THREADS) as pool:
        return dict(zip(names, pool.map(partial(_hooks_of, wiring), names), strict=True))


def _hooks_of(wiring: Wiring, connector: str) -> list[HookState]:
    try:
        return shortly(wiring.remotes.hooks(connector).ours, time.sleep)
    except SyncError:
        return []  # its probe says what is wrong


def disabled(hooks: Mapping[str, Sequence[HookState]]) -> list[DisabledHooks]:
    """The topics that each system has disabled."""
    topics = {
        name: [hook.topic for hook in ours if not hook.is_enabled] for name, ours in hooks.items()
    }
    return [DisabledHooks(name, disabled) for name, disabled in topics.items() if disabled]


def with_addresses(
    wiring: Known, evidence: Evidence, hooks: Mapping[str, Sequence[HookState]]
) -> Evidence:
    """Clocks and certificates of the remotes in use, and of our own public address."""
    return replace(evidence, addresses=looks_at(addresses(wiring, evidence, hooks)))


def looks_at(places: Sequence[Place]) -> list[AddressLook]:
    """What a plain request sees at each address that answers."""
    with ThreadPoolExecutor(LOOK_THREADS) as pool:
        found = list(pool.map(look_at, places))
    return [look for look in found if look is not None]


def addresses(
    wiring: Known, evidence: Evidence, hooks: Mapping[str, Sequence[HookState]]
) -> list[Place]:
    """A host once. What a system names goes into a private network only if that may be itself."""
    settings, manifests = wiring.settings, wiring.manifests
    ours = "our public address"
    found = [Place("Wix", settings.wix_api_base_url, may_be_private=True)]
    found += [
        Place(name, manifests[name].base_url, manifests[name].allow_private_hosts)
        for name in used_connectors(wiring, evidence)
    ]
    found.append(Place(ours, settings.gateway_public_url, may_be_private=True))
    found += [
        Place(ours, hook.url, manifests[name].allow_private_hosts)
        for name, its in hooks.items()
        for hook in its
    ]
    by_place: dict[tuple[str, str], Place] = {}
    for place in found:
        parts = urlsplit(place.url)
        if parts.scheme in ("http", "https") and parts.hostname:
            by_place.setdefault((parts.scheme, parts.netloc), place)
    return list(by_place.values())[:MAX_LOOKS]
