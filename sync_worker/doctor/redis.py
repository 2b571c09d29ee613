"""Checks of Redis: the broker and the cache, or the one that we start ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.connection import parse_url
from redis.exceptions import RedisError

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured
from sync_worker.doctor.check import ASK_SECONDS, Check, bad, first_line, note, ok
from sync_worker.redis.client import open_redis
from sync_worker.runtime.local.embedded_redis import find_server, running_url
from sync_worker.wiring import Wiring


def check_redis(wiring: Wiring) -> Iterator[Check]:
    settings = wiring.settings
    if settings.redis_url is None:
        yield _own_redis(settings)
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
                f"does not answer ({type(error).__name__}: {first_line(error)})",
                "check REDIS_URL (host, port, password, TLS as rediss://) and that the server runs",
            )


def _own_redis(settings: Settings) -> Check:
    if running_url(settings.ratings_sync_home / "redis") is not None:
        return ok("redis", "REDIS_URL is not set; `ratings-sync up` runs here with its own")
    try:
        find_server()
    except Misconfigured as none:
        return bad(
            "redis", "REDIS_URL is not set, and there is no Redis on this machine", none.message
        )
    return ok("redis", "REDIS_URL is not set: `ratings-sync up` brings its own; a fleet needs one")


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
        yield note("redis persistence", "no append-only file", step)
