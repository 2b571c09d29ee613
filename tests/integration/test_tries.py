"""The tries of one call, taken together: one that may have landed is never forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_worker.core.errors import Conflict, Gone, SyncError, Transient, UnknownOutcome
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import a_draft, a_manifest, a_remote, a_row

pytestmark = pytest.mark.usefixtures("short_pauses")

LOST = Reply(hangs_up=True)
GATEWAY_TIMEOUT = Reply(504, raw=b"<html>Gateway Timeout</html>")
CODED = {"status": [404], "path": "code", "equals": "no_review", "outcome": "gone"}
REFUSALS = {
    "400": Reply(400, {"code": "bad"}),
    "401": Reply(401, {"code": "who"}),
    "403": Reply(403, {"code": "no"}),
    "404": Reply(404, {"code": "rest_no_route"}),
    "404 in the system's words": Reply(404, {"code": "no_review"}),
    "409": Reply(409, {"code": "changed"}),
    "412": Reply(412, {"code": "changed"}),
    "422": Reply(422, {"code": "bad"}),
    "429": Reply(429, {"code": "slow"}, {"Retry-After": "30"}),
    "501": Reply(501, {"code": "never"}),
    "a page": Reply(200, raw=b"<html>Just a moment...</html>"),
    "a redirect": Reply(302, None, {"Location": "/elsewhere"}),
}


def a_careful_remote(server: RemoteServer) -> ExternalRemote:
    """Updates name a revision, and creates a key: all writes may be tried again."""
    return a_remote(
        a_manifest(
            server,
            fields__revision={"path": "version", "as": "int"},
            operations__create__idempotency_header="Idempotency-Key",
            operations__update__headers={"If-Match": {"from": "rating.revision"}},
            operations__update__errors=[{"status": [409, 412], "outcome": "conflict"}, CODED],
            operations__get__errors=[CODED],
            operations__delete__errors=[CODED],
        )
    )


WRITES: dict[str, Callable[[ExternalRemote], Any]] = {
    "create": lambda remote: remote.create(a_draft(), "key-1"),
    "update": lambda remote: remote.update("1", a_draft(), 1),
    "delete": lambda remote: remote.delete("1", 1),
}


def in_turn(*replies: Reply, then: Reply = LOST) -> Callable[[Asked], Reply]:
    """Writes are answered one after the other; a look shows another revision than ours."""
    left = list(replies)

    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(body=a_row(version=7))
        return left.pop(0) if left else then

    return answer


def outcome_of(write: Callable[[ExternalRemote], Any], remote: ExternalRemote) -> SyncError | None:
    try:
        write(remote)
    except SyncError as error:
        return error
    return None


@pytest.mark.parametrize("refusal", sorted(REFUSALS))
@pytest.mark.parametrize("lost", [LOST, GATEWAY_TIMEOUT], ids=["no answer", "504"])
@pytest.mark.parametrize("write", sorted(WRITES))
def test_refusal_after_a_lost_answer_leaves_the_outcome_unknown(
    server: RemoteServer, write: str, lost: Reply, refusal: str
) -> None:
    """What a later try says is of that try; the first one may have been carried out."""
    server.answer = in_turn(lost, REFUSALS[refusal])
    error = outcome_of(WRITES[write], a_careful_remote(server))
    # Gone is what a delete wants, whoever did it.
    if (write, refusal) == ("delete", "404 in the system's words"):
        assert error is None
    else:
        assert isinstance(error, UnknownOutcome)


@pytest.mark.parametrize("write", sorted(WRITES))
def test_no_connection_after_a_lost_answer_leaves_it_unknown(
    server: RemoteServer, write: str
) -> None:
    """The remote goes away between two tries: the second one finds nobody."""

    def answer(asked: Asked) -> Reply:
        server.go_away()
        return LOST

    server.answer = answer
    assert isinstance(outcome_of(WRITES[write], a_careful_remote(server)), UnknownOutcome)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("reply", "error"), [(409, Conflict), (404, Gone)])
def test_answer_to_the_only_try_is_the_outcome(
    server: RemoteServer, reply: int, error: type[SyncError]
) -> None:
    """Without a lost answer before it a refusal says what it always said."""
    server.answer = in_turn(Reply(reply, {"code": "no_review"}))
    assert isinstance(outcome_of(WRITES["update"], a_careful_remote(server)), error)


def test_success_after_a_lost_answer_is_a_success(server: RemoteServer) -> None:
    server.answer = in_turn(LOST, Reply(body=a_row(version=2)))
    assert a_careful_remote(server).update("1", a_draft(), 1).revision == 2


def test_read_that_is_refused_after_a_lost_answer_stays_refused(server: RemoteServer) -> None:
    """A read changes nothing, so nothing of it can have landed."""
    left = [LOST, Reply(400, {"code": "bad"})]
    server.answer = lambda asked: left.pop(0)
    with pytest.raises(SyncError) as refusal:
        a_careful_remote(server).get("1")
    assert not isinstance(refusal.value, Transient)
