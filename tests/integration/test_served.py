"""The stand-ins' server: connections that stay open, and how they end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask, request

from sync_sandbox.faults import HTTP_FAULTS, Faults, install
from sync_sandbox.served import Served, _Handler

SECONDS = 5.0


@pytest.fixture
def faults() -> Faults:
    return Faults(HTTP_FAULTS)


@pytest.fixture
def served(faults: Faults) -> Iterator[Served]:
    app = Flask("echo")
    install(app, faults, ("/v1/",))

    @app.post("/v1/unread")
    def unread() -> str:
        return f"{request.environ['REMOTE_PORT']}"

    @app.post("/v1/echo")
    def echo() -> Any:
        return {"port": request.environ["REMOTE_PORT"], "body": request.get_data(as_text=True)}

    @app.delete("/v1/echo")
    def nothing() -> Any:
        return "", 204

    server = Served(app, 0)
    yield server
    server.stop()


def test_one_connection_carries_call_after_call_whatever_they_leave_unread(served: Served) -> None:
    with requests.Session() as session:
        ports = {
            session.post(f"{served.url}/v1/unread", data=b"x" * 200_000, timeout=SECONDS).text
            for _ in range(3)
        }
        assert session.get(f"{served.url}/nowhere", timeout=SECONDS).status_code == 404
        assert session.delete(f"{served.url}/v1/echo", timeout=SECONDS).status_code == 204
        chunked = session.post(
            f"{served.url}/v1/echo", data=iter([b"in ", b"pieces"]), timeout=SECONDS
        ).json()
    assert chunked["body"] == "in pieces"
    assert ports == {str(chunked["port"])}


def test_whoever_does_not_ask_for_more_sees_the_end(served: Served) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), SECONDS) as line:
        line.sendall(b"GET /nowhere HTTP/1.0\r\n\r\n")
        with line.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 404")


def test_a_lost_answer_ends_the_connection_and_the_next_call_opens_one(
    served: Served, faults: Faults
) -> None:
    with requests.Session() as session:
        before = session.post(f"{served.url}/v1/echo", timeout=SECONDS).json()["port"]
        faults.set("response_lost", next=1)
        with pytest.raises(requests.ConnectionError):
            session.post(f"{served.url}/v1/echo", timeout=SECONDS)
        assert session.post(f"{served.url}/v1/echo", timeout=SECONDS).json()["port"] != before


def test_an_answer_of_unknown_length_ends_with_its_connection(
    served: Served, faults: Faults
) -> None:
    faults.set("drip", next=1)
    with requests.Session() as session:
        dripped = session.post(f"{served.url}/v1/unread", timeout=SECONDS)
        assert dripped.text.isdecimal()
        assert dripped.headers["Connection"] == "close"
        assert session.post(f"{served.url}/v1/unread", timeout=SECONDS).text != dripped.text


def test_a_stopped_server_answers_nobody_not_even_on_an_open_connection(served: Served) -> None:
    with requests.Session() as session:
        session.post(f"{served.url}/v1/echo", timeout=SECONDS)
        served.stop()
        with pytest.raises(requests.ConnectionError):
            session.post(f"{served.url}/v1/echo", timeout=SECONDS)


def test_connection_that_rests_too_long_is_closed_without_a_word(
    served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_Handler, "timeout", 0.1)
    address = served.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=SECONDS) as resting:
        assert resting.recv(1) == b""
    written = capfd.readouterr()
    assert written.out + written.err == ""
