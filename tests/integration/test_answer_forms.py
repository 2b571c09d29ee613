"""Answers that are not in the form of the system: pages of proxies, warnings, nothing, null, lists;
and refusals that pass by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_worker.core.errors import Permanent, SyncError, Transient, UnknownOutcome
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.integration.small_connector import ADA, MUG, a_draft, a_manifest, a_remote, a_row

pytestmark = pytest.mark.usefixtures("short_pauses")

PAGE = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
PAGES = {
    "a captcha, 202": Reply(202, raw=PAGE),
    "a page, 200": Reply(200, raw=PAGE),
    "a challenge, 403": Reply(403, raw=PAGE),
    "a theme's page, 404": Reply(404, raw=PAGE),
    "a page, 410": Reply(410, raw=PAGE),
    "a framework's page, 422": Reply(422, raw=PAGE),
    "a proxy's page, 400": Reply(400, raw=PAGE),
    "a warning before the JSON": Reply(
        200, raw=b"<br />\n<b>Warning</b>: Undefined index in wp.php\n" + b'{"id": 1, "stars": 4}'
    ),
    "a text, 200": Reply(200, raw=b"OK"),
    "half of the JSON": Reply(200, raw=b'{"id": 1, "product": "22", "sta'),
}
NO_RECORDS = {
    "null": Reply(200, raw=b"null"),
    "an empty list": Reply(200, []),
    "a list": Reply(200, [a_row()]),
    "a text": Reply(200, raw=b'"done"'),
    "a number": Reply(200, raw=b"1"),
    "true": Reply(200, raw=b"true"),
    "an error": Reply(200, {"error": "the database is away"}),
    "nothing in it": Reply(200, {}),
}
PASSING = (408, 421, 423, 424, 425, 302, 303, 307, 404, 410)
READS: dict[str, Callable[[ExternalRemote], Any]] = {
    "get": lambda remote: remote.get("1"),
    "find": lambda remote: remote.find(MUG, ADA),
    "list": lambda remote: remote.list_page(),
}
WRITES: dict[str, Callable[[ExternalRemote], Any]] = {
    "create": lambda remote: remote.create(a_draft(), "key-1"),
    "update": lambda remote: remote.update("1", a_draft(), None),
    "delete": lambda remote: remote.delete("1", None),
}
CODED = [{"status": [404], "path": "code", "equals": "no_review", "outcome": "gone"}]


def coded(server: RemoteServer) -> ExternalRemote:
    """Its manifest names the system's own word for a record that is gone."""
    return a_remote(
        a_manifest(
            server,
            operations__get__errors=CODED,
            operations__update__errors=CODED,
            operations__delete__errors=CODED,
        )
    )


def writes_only(reply: Reply) -> Callable[[Asked], Reply]:
    """A look shows the record as it was before."""
    return lambda asked: Reply(body=a_row(stars=2)) if asked.method == "GET" else reply


ENVELOPES: list[Any] = [
    {"error": "the database is away"},
    {"errors": [{"message": "too many connections"}]},
    {"code": "internal_error", "message": "Sorry"},
    {"success": False, "data": None},
    {"status": 503, "title": "Service Unavailable"},
]


@pytest.mark.parametrize("path", [None, "data"])
@pytest.mark.parametrize("body", ENVELOPES, ids=lambda body: next(iter(body)))
def test_error_told_with_success_is_an_outage_for_a_read(
    server: RemoteServer, body: Any, path: str | None
) -> None:
    """What is no record and no error stays the manifest's matter."""
    remote = a_remote(a_manifest(server, operations__get__result_path=path))
    server.answer = always(Reply(200, body))
    with pytest.raises(Transient):
        remote.get("1")
    server.answer = always(Reply(200, {"data": {"id": "1"}, "id": "1"}))
    with pytest.raises(Permanent) as refused:
        remote.get("1")
    assert refused.value.reason == "malformed_record"


@pytest.mark.parametrize(
    ("told", "is_outage"),
    [
        ({"code": "db_error", "message": "Sorry"}, True),
        ({"code": 500, "message": "Sorry"}, True),
        ({"success": False}, True),
        ({"error": "the database is away"}, True),
        ({"code": 0, "message": "ok"}, False),
        ({"code": "200", "message": "done"}, False),
        ({"success": True, "error": None}, False),
    ],
)
def test_error_whose_details_stand_where_the_record_is_due_is_an_outage(
    server: RemoteServer, told: dict[str, Any], is_outage: bool
) -> None:
    """WordPress puts details of an error under `data`, where others put the record."""
    remote = a_remote(a_manifest(server, operations__get__result_path="data"))
    server.answer = always(Reply(200, told | {"data": {"status": 500}}))
    with pytest.raises(SyncError) as unread:
        remote.get("1")
    assert isinstance(unread.value, Transient) is is_outage
    # A record is a record, whatever is told beside it.
    server.answer = always(Reply(200, told | {"data": a_row()}))
    assert remote.get("1") is not None


@pytest.mark.parametrize("told", [{"code": "db_error", "message": "Sorry"}, {"error": "away"}])
def test_error_told_with_success_is_an_outage_for_a_listing(
    server: RemoteServer, told: dict[str, Any]
) -> None:
    server.answer = always(Reply(200, told | {"rows": {"status": 500}}))
    with pytest.raises(Transient):
        a_remote(a_manifest(server)).list_page()


@pytest.mark.parametrize("page", sorted(PAGES))
@pytest.mark.parametrize("read", sorted(READS))
def test_page_where_json_is_due_is_an_outage_for_a_read(
    server: RemoteServer, read: str, page: str
) -> None:
    server.answer = always(PAGES[page])
    with pytest.raises(Transient) as outage:
        READS[read](coded(server))
    assert outage.value.is_failure


@pytest.mark.parametrize("page", sorted(PAGES))
@pytest.mark.parametrize("write", sorted(WRITES))
def test_page_where_json_is_due_leaves_a_write_unknown(
    server: RemoteServer, write: str, page: str
) -> None:
    server.answer = writes_only(PAGES[page])
    with pytest.raises(UnknownOutcome):
        WRITES[write](coded(server))


@pytest.mark.parametrize("answer", sorted(NO_RECORDS))
@pytest.mark.parametrize("write", sorted(WRITES))
def test_answer_that_is_no_record_leaves_a_write_unknown(
    server: RemoteServer, write: str, answer: str
) -> None:
    """Of a delete, whose form this manifest does not declare, a look tells: it is still there."""
    server.answer = writes_only(NO_RECORDS[answer])
    with pytest.raises(UnknownOutcome):
        WRITES[write](coded(server))


@pytest.mark.parametrize("answer", ["null", "an empty list", "a list", "a text", "a number"])
def test_answer_that_is_no_record_is_no_record_that_is_gone(
    server: RemoteServer, answer: str
) -> None:
    server.answer = always(NO_RECORDS[answer])
    with pytest.raises(Transient):
        coded(server).get("1")


@pytest.mark.parametrize("status", [200, 204])
def test_empty_answer_is_no_record_that_is_gone(server: RemoteServer, status: int) -> None:
    server.answer = always(Reply(status))
    with pytest.raises(Transient):
        coded(server).get("1")


def test_record_missing_where_the_manifest_says_leaves_it_unknown(server: RemoteServer) -> None:
    """``result_path`` names where the record is: an answer without it is not of that form."""
    server.answer = writes_only(Reply(200, {"ok": True}))
    manifest = a_manifest(server, operations__update__result_path="data")
    with pytest.raises(UnknownOutcome):
        a_remote(manifest).update("1", a_draft(), None)


def test_path_that_fails_on_the_answer_of_a_write_leaves_it_unknown(server: RemoteServer) -> None:
    server.answer = writes_only(Reply(200, {"items": 5}))
    manifest = a_manifest(server, operations__create__result_path="max_by(items, &id)")
    with pytest.raises(UnknownOutcome, match="holds no record"):
        a_remote(manifest).create(a_draft(), "key-1")


@pytest.mark.parametrize("status", [200, 202, 408, 424, 499, 500, 501, 503])
def test_retry_that_a_rule_reads_may_follow_a_write_that_landed(
    server: RemoteServer, status: int
) -> None:
    server.answer = writes_only(Reply(status, {"code": "busy"}))
    rules = [{"status": [status], "path": "code", "equals": "busy", "outcome": "retry"}]
    with pytest.raises(UnknownOutcome):
        a_remote(a_manifest(server, operations__create__errors=rules)).create(a_draft(), "key-1")


@pytest.mark.parametrize("status", [400, 404, 409, 423])
def test_retry_of_a_write_that_was_refused_is_no_unknown_one(
    server: RemoteServer, status: int
) -> None:
    server.answer = writes_only(Reply(status, {"code": "busy"}))
    rules = [{"status": [status], "path": "code", "equals": "busy", "outcome": "retry"}]
    with pytest.raises(Transient) as refusal:
        a_remote(a_manifest(server, operations__create__errors=rules)).create(a_draft(), "key-1")
    assert not isinstance(refusal.value, UnknownOutcome)


def test_system_that_answers_writes_with_a_text_is_read_again(server: RemoteServer) -> None:
    """Its manifest says so: ``answer: any``."""
    server.answer = lambda asked: (
        Reply(body=a_row(stars=4)) if asked.method == "GET" else Reply(200, raw=b"OK")
    )
    manifest = a_manifest(server, operations__update__answer="any")
    assert a_remote(manifest).update("1", a_draft(), None).values["value"] == 4


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("call", sorted(READS | WRITES))
def test_refusal_that_passes_by_itself_is_tried_again(
    server: RemoteServer, call: str, status: int
) -> None:
    server.answer = always(Reply(status, {"code": "later"}, {"Location": "/busy"}))
    with pytest.raises(Transient):
        (READS | WRITES)[call](coded(server))


@pytest.mark.parametrize("status", [400, 405, 413, 422, 301, 308])
def test_refusal_that_stays_is_permanent(server: RemoteServer, status: int) -> None:
    server.answer = always(Reply(status, {"code": "bad"}, {"Location": "/elsewhere"}))
    with pytest.raises(Permanent):
        coded(server).create(a_draft(), "key-1")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [None, {"code": "who"}])
def test_refusal_of_the_account_says_unauthorized(
    server: RemoteServer, status: int, body: Any
) -> None:
    server.answer = always(Reply(status, body))
    with pytest.raises(SyncError) as refusal:
        coded(server).get("1")
    assert getattr(refusal.value, "reason", "") == "unauthorized"


def test_byte_order_mark_before_the_json_is_read_over(server: RemoteServer) -> None:
    """One PHP file saved with it puts it before every answer of a shop."""
    server.answer = always(
        Reply(200, raw=b'\xef\xbb\xbf{"id": 1, "product": "22", "stars": 4, "email": "a@b.de"}')
    )
    record = coded(server).get("1")
    assert record is not None
    assert record.remote_id == "1"
