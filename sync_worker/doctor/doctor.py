"""What is wrong with an installation, in words, and what to do next.

Each check asks one thing and never raises.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from redis import Redis
from redis.connection import parse_url
from redis.exceptions import RedisError
from sqlalchemy import select

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured, Permanent, SyncError
from sync_worker.ledger.transactions import ledger_now
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.webhook import Secrets, StandardWebhooksVerify
from sync_worker.redis.client import open_redis
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.runtime.local.embedded_redis import find_server, running_url
from sync_worker.runtime.waiting import shortly
from sync_worker.wiring import Wiring

Verdict = Literal["ok", "note", "bad", "skipped"]

CLOCK_SECONDS = 60.0  # signatures are refused at 300 s; a minute leaves room
ASK_SECONDS = 2.0
MIN_SECRET = 16
OUR_PREFIXES = (
    "WIX_",
    "RATINGS_SYNC_",
    "GATEWAY_",
    "REDIS_",
    "DATABASE_",
    "WORKER_",
    "BUDGET_",
    "SWEEP_",
)
PERMISSIONS = ("Read Ratings", "Manage Ratings", "Read Contacts", "Manage Contacts", "Read Members")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor: a ``note`` needs no haste, ``bad`` must be put right, ``skipped``
    could not be asked.
    """

    name: str
    verdict: Verdict
    what: str
    next_step: str = ""


def ok(name: str, what: str) -> Check:
    return Check(name, "ok", what)


def bad(name: str, what: str, next_step: str) -> Check:
    return Check(name, "bad", what, next_step)


@dataclass(frozen=True, slots=True)
class Doctor:
    """All checks of one installation.

    ``offline``: ask neither Wix, nor the external systems, nor the gateway.
    """

    wiring: Wiring
    offline: bool = False
    instance_id: str | None = None  # of a site that is not added yet

    def checks(self) -> Iterator[Check]:
        """In the order in which one would put things right."""
        local = (
            self.settings,
            self.connectors,
            self.sql,
            self.redis,
            self.webhook_keys,
            self.webhook_secrets,
        )
        remote = (self.wix, self.external, self.gateway)
        for ask in local if self.offline else (*local, *remote):
            yield from _safely(ask.__name__, ask)

    # -- here

    def settings(self) -> Iterator[Check]:
        settings, environ = self.wiring.settings, self.wiring.environ
        missing = [name for name in ("WIX_APP_ID", "WIX_APP_SECRET") if not _text(settings, name)]
        if missing:
            yield bad(
                "settings",
                f"{' and '.join(missing)} not set",
                "copy both from your app's dashboard at dev.wix.com (OAuth) into .env, or set"
                " …_FILE",
            )
        else:
            yield ok("settings", f"app {settings.wix_app_id}, Wix at {settings.wix_api_base_url}")
        yield from _unknown_names(environ)

    def connectors(self) -> Iterator[Check]:
        for manifest in self.wiring.manifests.values():
            yield ok(
                f"connector {manifest.id}", f"manifest is good; base address {manifest.base_url}"
            )

    def sql(self) -> Iterator[Check]:
        settings = self.wiring.settings
        engine = self.wiring.admin.engine  # opens it and brings it to the newest schema
        kind = "SQLite" if settings.is_sqlite else "PostgreSQL"
        yield ok("sql", f"{kind} answers and has the newest schema")
        if settings.is_sqlite and settings.budget_processes > 1:
            yield bad(
                "sql workers",
                "SQLite serves one worker process, and BUDGET_PROCESSES is"
                f" {settings.budget_processes}",
                "set DATABASE_URL to a PostgreSQL, or run one worker and BUDGET_PROCESSES=1",
            )
        with engine.connect() as connection:
            there = float(connection.execute(select(ledger_now())).scalar_one())
        yield _clock("clock of the database", there - time.time())

    def redis(self) -> Iterator[Check]:
        settings = self.wiring.settings
        if settings.redis_url is None:
            yield self._own_redis()
            return
        if _place(settings.broker) == _place(settings.cache):
            yield bad(
                "redis databases",
                "broker and cache are one database: a flush of the cache would empty the queue",
                "set REDIS_CACHE_URL to another database number, such as …/1",
            )
        for name, url in (("redis broker", settings.broker), ("redis cache", settings.cache)):
            try:
                with open_redis(url, ASK_SECONDS) as client:
                    yield from _redis_server(name, client)
            except RedisError as error:
                yield bad(
                    name,
                    f"does not answer ({type(error).__name__}: {_first_line(error)})",
                    "check REDIS_URL (host, port, password, TLS as rediss://) and that the server"
                    " runs",
                )

    def _own_redis(self) -> Check:
        if running_url(self.wiring.settings.ratings_sync_home / "redis") is not None:
            return ok("redis", "REDIS_URL is not set; `ratings-sync up` runs here with its own")
        try:
            find_server()
        except Misconfigured as none:
            return bad(
                "redis", "REDIS_URL is not set, and there is no Redis on this machine", none.message
            )
        return ok(
            "redis", "REDIS_URL is not set: `ratings-sync up` brings its own; a fleet needs one"
        )

    def webhook_keys(self) -> Iterator[Check]:
        keys = load_public_keys(self.wiring.settings.wix_public_key)
        more = "" if len(keys) == 1 else " (any of them may sign)"
        yield ok(
            "webhook keys",
            f"WIX_PUBLIC_KEY holds {len(keys)} public key{'s' if len(keys) > 1 else ''}{more}",
        )

    def webhook_secrets(self) -> Iterator[Check]:
        for manifest in self.wiring.manifests.values():
            yield _secrets(manifest)

    # -- elsewhere

    def wix(self) -> Iterator[Check]:
        instances = [site.instance_id for site in self.wiring.admin.sites()]
        if self.instance_id is not None and self.instance_id not in instances:
            instances.append(self.instance_id)
        if not instances:
            yield Check(
                "wix",
                "skipped",
                "there is no site yet",
                "`ratings-sync setup`, or `doctor --instance ID`",
            )
        for instance_id in instances:
            yield from self._instance(instance_id)

    def _instance(self, instance_id: str) -> Iterator[Check]:
        api, name = self.wiring.remotes.wix_api(instance_id), f"wix {instance_id[:8]}"
        try:
            answer = shortly(lambda: api.call("get_instance"), time.sleep)
        except SyncError as error:
            yield bad(f"{name} token", f"no access: {error}", _token_advice(error))
            return
        body = answer.body if isinstance(answer.body, dict) else {}
        site_name = (body.get("site") or {}).get("siteDisplayName") or "a site without a name"
        yield ok(f"{name} token", f"the app may act on {site_name}")
        yield _permissions(name, (body.get("instance") or {}).get("permissions"))
        yield from _remote_clock(answer.headers.get("Date"))
        yield self._ratings(name, api)

    def _ratings(self, name: str, api: Any) -> Check:
        """U1 of our notes on the contract: Ratings was never published as REST operations; only
        asking tells.
        """
        query = {"query": {"cursorPaging": {"limit": 1}}}
        try:
            shortly(lambda: api.call("query_ratings", json=query), time.sleep)
        except SyncError as error:
            return bad(f"{name} ratings", f"Query Ratings fails: {error}", _ratings_advice(error))
        return ok(f"{name} ratings", "the Ratings API answers")

    def external(self) -> Iterator[Check]:
        for manifest in self.wiring.manifests.values():
            name = f"connector {manifest.id}"
            probe = getattr(
                self.wiring.remotes.external(manifest.id), "probe", None
            )  # a plugin has one or has not
            if probe is None:
                yield Check(f"{name} probe", "skipped", "its plugin has no probe")
                continue
            try:
                is_probed = shortly(probe, time.sleep)
            except SyncError as error:
                refused = isinstance(error, Permanent) and error.reason == "unauthorized"
                step = (
                    "check its token"
                    if refused
                    else f"check its address ({manifest.base_url}) and that it runs"
                )
                yield bad(f"{name} probe", str(error), step)
            else:
                if is_probed:
                    yield ok(f"{name} probe", "answers, and takes our credentials")
                else:
                    yield Check(
                        f"{name} probe", "skipped", "its manifest declares no operation `probe`"
                    )

    def gateway(self) -> Iterator[Check]:
        bind = self.wiring.settings.gateway_bind.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared only
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"http://{bind}/readyz", timeout=ASK_SECONDS)
            except requests.RequestException:
                yield Check(
                    "gateway",
                    "skipped",
                    f"does not run at {bind}",
                    "start it with `ratings-sync up`",
                )
                return
        if answer.ok:
            yield ok("gateway", f"is ready at {bind}")
        else:
            yield bad(
                "gateway",
                f"answers {answer.status_code} at {bind}/readyz",
                "its lines in the log say why",
            )


def _safely(name: str, ask: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """A check that fails in a way nobody thought of is a bad one, not the end of all."""
    try:
        yield from ask()
    except Misconfigured as error:
        yield bad(
            name.replace("_", " "),
            error.message,
            "correct the setting in the environment or in .env",
        )
    except Exception as error:
        yield bad(
            name.replace("_", " "), f"{type(error).__name__}: {_first_line(error)}", "see the logs"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _text(settings: Settings, name: str) -> str:
    value = getattr(settings, name.lower())
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _unknown_names(environ: Mapping[str, str]) -> Iterator[Check]:
    """Names that look like ours but are none: a typing error would otherwise go unnoticed."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    for name in sorted(environ):
        if name.startswith(OUR_PREFIXES) and name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.85)
            if close:
                yield Check(
                    "settings", "note", f"{name} is no setting", f"did you mean {close[0]}?"
                )


def _clock(name: str, ahead: float) -> Check:
    if abs(ahead) <= CLOCK_SECONDS:
        return ok(name, f"differs from ours by {ahead:+.1f} s")
    return bad(
        name,
        f"differs from ours by {ahead:+.0f} s",
        "let NTP set both clocks; signatures have times in them",
    )


def _remote_clock(date: str | None) -> Iterator[Check]:
    if date is None:
        return
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        return
    there = there if there.tzinfo else there.replace(tzinfo=UTC)
    yield _clock("clock of Wix", (there - datetime.now(UTC)).total_seconds())


def _place(url: str) -> tuple[Any, ...]:
    parts = parse_url(url)  # type: ignore[no-untyped-call]  # redis ships no type for it
    return (
        parts.get("host", "localhost"),
        parts.get("port", 6379),
        parts.get("path"),
        int(parts.get("db") or 0),
    )


def _redis_server(name: str, client: Redis) -> Iterator[Check]:
    """By INFO, which hosted servers allow where they refuse CONFIG."""
    facts: Any = client.info()
    yield ok(name, f"answers (Redis {facts.get('redis_version', '?')})")
    if name != "redis broker":
        return
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield bad(
            "redis eviction",
            f"maxmemory-policy is {policy}: a full server would throw the queue away",
            "set maxmemory-policy noeviction",
        )
    else:
        yield ok("redis eviction", "noeviction")
    if str(facts.get("aof_enabled", 0)) == "1":
        yield ok("redis persistence", "append-only file is on")
    else:
        step = (
            "set appendonly yes; nothing is lost without it, but after a restart the sweeper has to"
            " ring for all"
        )
        yield Check("redis persistence", "note", "no append-only file", step)


def _secrets(manifest: Manifest) -> Check:
    name = f"connector {manifest.id} webhooks"
    if manifest.webhook is None:
        return Check(name, "skipped", "it has no webhooks: scans see what happens")
    for scheme in manifest.webhook.verify:
        if not isinstance(scheme, Secrets):
            continue
        secret = scheme.secret.get_secret_value()
        if len(secret) < MIN_SECRET and not isinstance(scheme, StandardWebhooksVerify):
            step = f"agree on one of {MIN_SECRET} characters or more, made by chance"
            return Check(name, "note", f"the secret is {len(secret)} characters short", step)
        old = scheme.previous_secret
        if old is not None and old.get_secret_value() == secret:
            return Check(
                name,
                "note",
                "the old secret is the new one",
                "remove the old one once the rotation is over",
            )
    return ok(name, f"{len(manifest.webhook.verify)} signature scheme(s) with their secrets")


def _permissions(name: str, granted: Any) -> Check:
    """Which names Wix gives them is not documented: a difference is a note; the calls themselves
    decide.
    """
    if not isinstance(granted, Sequence) or isinstance(granted, str):
        return Check(f"{name} permissions", "note", "Wix does not say which are granted")
    shown = {str(one).casefold() for one in granted}
    missing = [one for one in PERMISSIONS if one.casefold() not in shown]
    if not missing:
        return ok(f"{name} permissions", ", ".join(PERMISSIONS))
    step = (
        "add them under Permissions in your app's dashboard and let the site's owner agree to the"
        " new version"
    )
    return Check(f"{name} permissions", "note", f"not listed: {', '.join(missing)}", step)


def _token_advice(error: SyncError) -> str:
    status = error.facts.status
    if status in (400, 401, 403, 404):
        return (
            "check WIX_APP_ID, WIX_APP_SECRET and the instance id; is the app still installed on"
            " the site?"
        )
    return "is WIX_API_BASE_URL right, and can this machine reach it?"


def _ratings_advice(error: SyncError) -> str:
    status = error.facts.status
    if status == 403:
        return "give the app the permission Read Ratings (and Manage Ratings) in its dashboard"
    if status in (404, 501):
        return (
            "the Ratings API is not open to this app or site: ask Wix to open it; nothing can be"
            " synced until then"
        )
    return "try again; if it stays, report the request id to Wix"
