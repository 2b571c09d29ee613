"""A record is gone when its system says so in words of its own, and never by a guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from sync_worker.core.errors import Gone, Permanent, SyncError, Transient
from sync_worker.redis.client import RedisClient, open_redis
from sync_worker.redis.first_looks import RedisFirstLooks
from sync_worker.remotes.external.gone import SecondLooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.external.remote import ExternalRemote
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.runtime.local.free_port import free_port
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.integration.small_connector import a_draft, a_manifest, a_remote, a_row

NO_ROUTE = {"code": "rest_no_route", "message": "No route was found", "data": {"status": 404}}
CODED = [{"status": [404], "path": "code", "equals": "no_review", "outcome": "gone"}]
BARE = [{"status": [403, 404, 410], "outcome": "gone"}]
PAGE = Reply(404, raw=b"<html>Not Found</html>")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def remote_with(
    server: RemoteServer, rules: list[dict[str, Any]], clock: Clock | None = None
) -> ExternalRemote:
    manifest = a_manifest(
        server,
        operations__get__errors=rules,
        operations__update__errors=rules,
        operations__delete__errors=rules,
    )
    if clock is None:
        return a_remote(manifest)
    http = http_of(manifest, NoBudget(), OwnTokens())
    return ExternalRemote(manifest, http, looks=SecondLooks(clock))


# -- named words


def test_word_of_the_system_says_gone_at_once(server: RemoteServer) -> None:
    server.answer = always(Reply(404, {"code": "no_review"}))
    remote = remote_with(server, CODED)
    assert remote.get("1") is None
    remote.delete("1", None)
    with pytest.raises(Gone):
        remote.update("1", a_draft(), None)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(404, NO_ROUTE),
        Reply(404),
        Reply(404, []),
        PAGE,
        Reply(410, {"code": "gone"}),
        Reply(403, raw=b"<html>Attention Required!</html>"),
    ],
)
def test_anything_else_is_an_outage(server: RemoteServer, answer: Reply) -> None:
    server.answer = always(answer)
    remote = remote_with(server, CODED)
    calls: list[Callable[[], Any]] = [
        lambda: remote.get("1"),
        lambda: remote.update("1", a_draft(), None),
        lambda: remote.delete("1", None),
    ]
    for call in calls:
        with pytest.raises(Transient):
            call()


@pytest.mark.parametrize("rule", [{}, {"path": "code", "equals": "FORBIDDEN"}])
@pytest.mark.parametrize("status", [401, 403])
def test_refused_permission_never_says_gone(
    server: RemoteServer, status: int, rule: dict[str, Any]
) -> None:
    """Some systems say it of a record that is gone, too: then it says nothing of the record."""
    server.answer = always(Reply(status, {"code": "FORBIDDEN"}))
    remote = remote_with(server, [{"status": [status], "outcome": "gone", **rule}])
    for _ in range(3):
        with pytest.raises(Permanent) as refusal:
            remote.get("1")
        assert refusal.value.reason == "unauthorized"


# -- an empty filtered list


def filtered(server: RemoteServer) -> ExternalRemote:
    """A system that does not tell "gone" from "forbidden" by id, but lists by a filter."""
    return a_remote(
        a_manifest(
            server,
            operations__get={
                "method": "GET",
                "path": "/r",
                "query": {"filter": {"from": "key.id"}},
                "items_path": "data",
            },
        )
    )


def test_empty_list_of_one_id_says_gone(server: RemoteServer) -> None:
    server.answer = always(Reply(body={"data": []}))
    assert filtered(server).get("1") is None
    assert server.asked[0].query == {"filter": "1"}


def test_record_is_the_row_with_its_id(server: RemoteServer) -> None:
    server.answer = always(Reply(body={"data": [a_row(1, stars=2)]}))
    record = filtered(server).get("1")
    assert record is not None
    assert record.values["value"] == 2


@pytest.mark.parametrize("body", [{"data": None}, {}, [], {"data": {}}, {"data": [a_row(2)]}])
def test_list_in_another_form_or_of_another_record_is_an_outage(
    server: RemoteServer, body: Any
) -> None:
    """A filter that the system ignores lists others: that says nothing of this one."""
    server.answer = always(Reply(body=body))
    with pytest.raises(Transient):
        filtered(server).get("1")


# -- rules of earlier manifests that name a status alone


def one_is_gone(asked: Asked) -> Reply:
    """Record 1 is gone, record 2 is there, and the listing shows it."""
    if asked.path == "/r/1":
        return Reply(404, {"message": "not found"})
    if asked.path == "/r/2":
        return Reply(body=a_row(2))
    return Reply(body={"rows": [a_row(2)]})


def test_bare_status_counts_at_a_second_look_a_minute_later(server: RemoteServer) -> None:
    clock = Clock()
    remote, server.answer = remote_with(server, BARE, clock), one_is_gone
    with pytest.raises(Transient) as first:
        remote.get("1")
    assert first.value.retry_after == 60
    assert "operations.get.errors[0]" in str(first.value)
    clock.now += 59
    with pytest.raises(Transient):
        remote.get("1")
    clock.now += 2
    assert remote.get("1") is None


def test_bare_status_counts_only_while_another_record_can_be_read(server: RemoteServer) -> None:
    """The whole API is away: its 404 says nothing of this record, however often it is looked at."""
    clock = Clock()
    remote, server.answer = remote_with(server, BARE, clock), one_is_gone
    assert remote.get("2") is not None
    server.answer = always(Reply(404, NO_ROUTE))
    for _ in range(5):
        with pytest.raises(Transient):
            remote.get("1")
        clock.now += 61


@pytest.mark.parametrize("answer", [PAGE, Reply(404), Reply(410), Reply(404, raw=b"null")])
def test_bare_status_of_a_page_never_counts(server: RemoteServer, answer: Reply) -> None:
    clock = Clock()
    remote = remote_with(server, BARE, clock)
    server.answer = lambda asked: answer if asked.path == "/r/1" else one_is_gone(asked)
    for _ in range(5):
        with pytest.raises(Transient):
            remote.get("1")
        clock.now += 61


def test_looks_count_together_only_if_nothing_else_was_seen_between(server: RemoteServer) -> None:
    clock = Clock()
    remote = remote_with(server, BARE, clock)
    is_away = [True]
    server.answer = lambda asked: (
        one_is_gone(asked) if is_away[0] or asked.path != "/r/1" else Reply(body=a_row(1))
    )
    with pytest.raises(Transient):
        remote.get("1")
    is_away[0], clock.now = False, clock.now + 61
    assert remote.get("1") is not None
    is_away[0], clock.now = True, clock.now + 61
    with pytest.raises(Transient):
        remote.get("1")


# -- several workers, and one that starts again


def fleet(server: RemoteServer, redis: Redis, workers: int) -> list[ExternalRemote]:
    manifest = a_manifest(server, operations__get__errors=BARE)
    client = RedisClient(redis, prefix="shop:")
    made = [
        remote_of(
            manifest, http_of(manifest, NoBudget(), OwnTokens()), RedisFirstLooks(client, "small")
        )
        for _ in range(workers)
    ]
    return [remote for remote in made if isinstance(remote, ExternalRemote)]


def pass_a_minute(redis: Redis) -> None:
    for key in redis.scan_iter("shop:gone-look:small:wait:*"):
        redis.delete(key)


def looks_away(remote: ExternalRemote) -> bool:
    try:
        return remote.get("1") is not None
    except Transient:
        return True


def test_second_look_is_another_workers_or_comes_after_a_restart(
    server: RemoteServer, redis: Redis
) -> None:
    one, another = fleet(server, redis, 2)
    server.answer = one_is_gone
    assert looks_away(one)
    assert looks_away(another)
    pass_a_minute(redis)
    assert another.get("1") is None


def test_worker_that_reads_the_record_takes_back_anothers_first_look(
    server: RemoteServer, redis: Redis
) -> None:
    """An old node behind a balancer: its 404 counts only if nobody read the record since."""
    one, another = fleet(server, redis, 2)
    server.answer = one_is_gone
    assert looks_away(one)
    server.answer = always(Reply(body=a_row(1)))
    assert another.get("1") is not None
    pass_a_minute(redis)
    server.answer = one_is_gone
    assert looks_away(one)


def test_redis_that_forgets_or_is_away_only_delays(server: RemoteServer, redis: Redis) -> None:
    (one,) = fleet(server, redis, 1)
    server.answer = one_is_gone
    assert looks_away(one)
    redis.flushdb()
    assert looks_away(one)
    pass_a_minute(redis)
    assert one.get("1") is None
    nobody = RedisClient(open_redis(f"redis://127.0.0.1:{free_port()}/0", 0.2))
    clock = Clock()
    manifest = a_manifest(server, operations__get__errors=BARE)
    looks = SecondLooks(clock, RedisFirstLooks(nobody, "small"))
    alone = ExternalRemote(manifest, http_of(manifest, NoBudget(), OwnTokens()), looks=looks)
    assert looks_away(alone)
    clock.now += 61
    assert alone.get("1") is None


@pytest.mark.parametrize(("rules", "asked"), [(CODED, 0), (BARE, 2)])
def test_reads_ask_redis_once_in_half_a_minute_and_for_bare_rules_alone(
    server: RemoteServer,
    redis: Redis,
    rules: list[dict[str, Any]],
    asked: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted at the client: the server is shared, and others may still be ending there."""
    sent: list[str] = []
    execute: Callable[..., Any] = redis.execute_command

    def counted(name: str, *arguments: Any, **options: Any) -> Any:
        sent.append(name)
        return execute(name, *arguments, **options)

    monkeypatch.setattr(redis, "execute_command", counted)
    manifest, clock = a_manifest(server, operations__get__errors=rules), Clock()
    first = RedisFirstLooks(RedisClient(redis, prefix="shop:"), "small", clock)
    remote = remote_of(manifest, http_of(manifest, NoBudget(), OwnTokens()), first)
    server.answer = always(Reply(body=a_row(1)))
    for _ in range(40):
        assert remote.get("1") is not None
        clock.now += 1
    assert len(sent) == asked, sent


def test_first_look_is_forgotten_after_a_while(server: RemoteServer) -> None:
    clock = Clock()
    remote, server.answer = remote_with(server, BARE, clock), one_is_gone
    with pytest.raises(Transient):
        remote.get("1")
    clock.now += 86_400
    with pytest.raises(Transient):
        remote.get("1")


def test_update_with_a_bare_status_leads_to_a_look(server: RemoteServer) -> None:
    """Only the look decides whether the record is gone."""
    server.answer = one_is_gone
    with pytest.raises(Gone):
        remote_with(server, BARE).update("1", a_draft(), None)


def test_delete_with_a_bare_status_is_done_when_two_looks_say_so(server: RemoteServer) -> None:
    clock = Clock()
    remote, server.answer = remote_with(server, BARE, clock), one_is_gone
    with pytest.raises(Transient):
        remote.delete("1", None)
    clock.now += 61
    remote.delete("1", None)


def test_delete_with_a_bare_status_of_a_living_record_is_not_done(server: RemoteServer) -> None:
    server.answer = lambda asked: (
        Reply(404, NO_ROUTE) if asked.method == "DELETE" else Reply(body=a_row(1))
    )
    with pytest.raises(SyncError):
        remote_with(server, BARE).delete("1", None)


# -- deletes


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        ({}, 1),
        ({"success": [204]}, 0),
        ({"success": [200], "success_if": {"path": "deleted", "equals": True}}, 0),
    ],
)
def test_delete_is_looked_at_where_its_form_is_not_declared(
    server: RemoteServer, changes: dict[str, Any], looks: int
) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(404, {"code": "no_review"})
        return Reply(204) if changes == {"success": [204]} else Reply(200, {"deleted": True})

    server.answer = answer
    declared = {f"operations__delete__{name}": value for name, value in changes.items()}
    a_remote(a_manifest(server, operations__get__errors=CODED, **declared)).delete("1", None)
    assert len([asked for asked in server.asked if asked.method == "GET"]) == looks


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, {"deleted": False}),
        Reply(200, {"error": "you may not"}),
        Reply(200, {}),
        Reply(200),
        Reply(200, raw=b"null"),
        Reply(200, raw=b"<html>Welcome</html>"),
        Reply(202, {"deleted": True}),
        Reply(204),
    ],
)
def test_delete_that_is_not_answered_as_declared_is_not_done(
    server: RemoteServer, answer: Reply
) -> None:
    server.answer = lambda asked: Reply(body=a_row(1)) if asked.method == "GET" else answer
    remote = a_remote(
        a_manifest(
            server,
            operations__delete__success=[200],
            operations__delete__success_if={"path": "deleted", "equals": True},
        )
    )
    with pytest.raises(Transient):
        remote.delete("1", None)


def test_delete_that_is_answered_with_success_but_not_done_is_unknown(
    server: RemoteServer,
) -> None:
    server.answer = lambda asked: Reply(body=a_row(1)) if asked.method == "GET" else Reply(200, {})
    with pytest.raises(Transient, match="still there"):
        a_remote(a_manifest(server)).delete("1", None)
