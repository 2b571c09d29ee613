"""Addresses that the declared connector must never call, and secrets that it never tells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import structlog

from sync_worker.core.errors import (
    Misconfigured,
    Permanent,
    Transient,
)
from sync_worker.manifest.loader import parse_manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.documents import document_of
from tests.integration.connector_calls import told
from tests.integration.remote_server import RemoteServer, Reply, always
from tests.integration.small_connector import (
    BASE,
    a_manifest,
    a_remote,
    a_row,
)

# -- addresses it must never call


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://other.example/r",
        "https://127.0.0.1/r",
        "http://127.0.0.1:9/r",
        "//other.example/r",
        "http://user:pass@127.0.0.1:{port}/r",
        "http://127.0.0.1:{port}\\@other.example/r",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/r",
        "http://[::1/r",
    ],
)
def test_next_link_to_elsewhere_is_refused(server: RemoteServer, link: str) -> None:
    link = link.replace("{port}", server.url.rpartition(":")[2])
    server.answer = lambda asked: Reply(body={"rows": [a_row()], "next": link})
    paging = {"kind": "next_link", "source": "body", "path": "next"}
    remote = a_remote(a_manifest(server, operations__list__pagination=paging))
    cursor = remote.list_page().cursor
    with pytest.raises(Permanent) as refusal:
        remote.list_page(cursor)
    assert refusal.value.reason == "host_not_allowed"
    assert len(server.asked) == 1


def test_redirect_is_refused_and_not_followed(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(301, None, {"Location": f"{server.url}/elsewhere"})
    with pytest.raises(Permanent) as refusal:
        a_remote(a_manifest(server)).get("1")
    assert refusal.value.reason == "redirected"
    assert [asked.path for asked in server.asked] == ["/r/1"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",  # noqa: S104 - called, not bound
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[fec0::1]",
    ],
)
def test_host_that_leads_into_the_private_network_is_refused(
    server: RemoteServer, host: str
) -> None:
    """Whatever the name or the spelling: the resolved address counts, and it is the one that is
    called.
    """
    document = document_of(BASE) | {"base_url": f"https://{host}:{server.url.rpartition(':')[2]}"}
    document["allow_private_hosts"] = False
    remote = a_remote(parse_manifest(document, {}, Path("small.yaml")))
    with pytest.raises(Misconfigured, match="has a private address"):
        remote.get("1")
    assert server.asked == []


def test_answer_larger_than_allowed_is_cut_off(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body={"rows": ["x" * 3_000]})
    remote = a_remote(a_manifest(server, http__max_body_bytes=2000, http__backoff={"attempts": 1}))
    with pytest.raises(Transient):
        remote.list_page()


# -- secrets


def test_no_secret_is_in_logs_errors_or_their_causes(
    server: RemoteServer, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "CANARY-7f3a9c"
    kinds: list[dict[str, Any]] = [
        {"type": "query", "params": {"api_token": {"env": "C"}}},
        {"type": "bearer", "token": {"env": "C"}},
        {"type": "basic", "username": {"env": "C"}, "password": {"env": "C"}},
        {"type": "headers", "headers": {"X-Key": {"env": "C"}}},
        {"type": "hmac_request", "header": "X-Sign", "secret": {"env": "C"}},
        {
            "type": "oauth2_client_credentials",
            "token_url": f"{server.url}/token",
            "client_id": {"env": "C"},
            "client_secret": {"env": "C"},
        },
    ]
    lines, before = io.StringIO(), structlog.get_config()
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(lines), wrapper_class=structlog.BoundLogger
    )
    try:
        for answer in (Reply(500), Reply(401), Reply(302), Reply(200, "x"), Reply(429)):
            server.answer = always(answer)
            for auth in kinds:
                lines.write(
                    told(
                        a_manifest(server, {"C": canary}, auth=auth, http__backoff={"attempts": 1})
                    )
                )
        dead = a_manifest(server, {"C": canary, "URL": "http://127.0.0.1:9"}, auth=kinds[0])
        lines.write(told(dead))
    finally:
        structlog.configure(**before)
    captured = capsys.readouterr()
    said = lines.getvalue() + captured.out + captured.err
    assert "small" in said
    assert "remote_call" in said
    assert canary not in said


# -- plugins


def test_plugin_that_is_not_installed_is_named_with_what_to_do(server: RemoteServer) -> None:
    manifest = a_manifest(server, plugin="nobody")
    with pytest.raises(
        Misconfigured, match=r"'nobody' of ratings_sync.connectors, which is not installed"
    ):
        remote_of(manifest, http_of(manifest, NoBudget(), OwnTokens()))
    hooked = a_manifest(server, operations__get={"handler": "nobody.get"})
    with pytest.raises(Misconfigured, match=r"'nobody.get' of ratings_sync.hooks"):
        remote_of(hooked, http_of(hooked, NoBudget(), OwnTokens()))
