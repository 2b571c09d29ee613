"""The server of one gateway process, with a bare application: how it ends, and what it refuses."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from sync_worker.runtime.waiting import wait_until
from webhook_gateway.server import DoorChannel, Limits, Server
from webhook_gateway.sockets import listen

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


class Served:
    """A server in a thread. ``may_answer``: its application waits for it."""

    def __init__(self, read_seconds: float) -> None:
        self.may_answer, self.asked, self.beats = threading.Event(), threading.Event(), 0
        self.may_answer.set()
        (self.listener,) = listen("127.0.0.1:0")
        self.address = self.listener.getsockname()
        self.server = Server(self.answer, [self.listener], Limits(2, 1000, read_seconds))
        self.thread = threading.Thread(target=self.server.run, args=(self.beat,))
        self.thread.start()

    def answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.asked.set()
        self.may_answer.wait(10)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def beat(self) -> None:
        self.beats += 1

    def is_silent(self) -> bool:
        """Whether no beat comes for many turns of its loop."""
        before = self.beats
        time.sleep(0.5)
        return self.beats == before

    def begun(self) -> list[DoorChannel]:
        """Connections of which the server has a request, whole or in parts."""
        channels = [one for one in list(self.server._map.values()) if isinstance(one, DoorChannel)]
        return [one for one in channels if one.requests or one.request]

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=5)


def read_to_the_end(sock: socket.socket) -> bytes:
    answer = b""
    while part := sock.recv(65_536):
        answer += part
    return answer


@pytest.fixture(params=[5.0])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(request.param)
    yield served
    served.may_answer.set()
    if served.thread.is_alive():
        served.server.stop()
    served.thread.join(10)
    assert not served.thread.is_alive()


def test_stop_answers_what_has_begun_and_hangs_up_on_the_idle(served: Served) -> None:
    served.may_answer.clear()
    with (
        closing(served.connect()) as idle,
        closing(served.connect()) as arriving,
        closing(served.connect()) as asked,
    ):
        idle.sendall(GET)
        assert served.asked.wait(5)
        asked.sendall(GET)
        arriving.sendall(POST + b"12")
        assert wait_until(lambda: len(served.begun()) == 3, 5.0)
        served.server.stop()
        arriving.sendall(b"34")
        assert wait_until(lambda: not any(one.request for one in served.begun()), 5.0)
        served.may_answer.set()
        for sock in (idle, asked, arriving):
            assert read_to_the_end(sock).startswith(b"HTTP/1.1 200")
        served.thread.join(5)
        assert not served.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            served.connect()


def test_stop_of_a_server_that_has_ended_is_no_error(served: Served) -> None:
    served.server.stop()
    served.thread.join(5)
    served.server.stop()


@pytest.mark.parametrize("served", [0.5], indirect=True)
def test_request_that_does_not_arrive_in_time_is_cut_off(served: Served) -> None:
    """However often a byte of it comes."""
    with closing(served.connect()) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\n")
        sock.settimeout(0.1)
        started, answer = time.monotonic(), b"?"
        while time.monotonic() - started < 5 and answer == b"?":
            with suppress(TimeoutError):
                sock.sendall(b"X: y\r\n")
                answer = sock.recv(1000)
        assert answer == b""
        assert 0.3 < time.monotonic() - started < 3


def test_body_of_two_lengths_is_refused_with_all_behind_it(served: Served) -> None:
    two = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    with closing(served.connect()) as sock:
        sock.sendall(two + b"0\r\n\r\n" + GET)
        answer = read_to_the_end(sock)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1


def test_no_beat_while_no_thread_takes_the_next_request(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads hang, and requests wait: the parent is to notice."""
    monkeypatch.setattr("webhook_gateway.server.STUCK_SECONDS", 0.2)
    monkeypatch.setattr("webhook_gateway.server.TURN_SECONDS", 0.05)
    served.may_answer.clear()
    with closing(served.connect()) as one, closing(served.connect()) as two:
        for sock in (one, two):
            sock.sendall(GET)
        assert served.asked.wait(5)
        with closing(served.connect()) as third:
            third.sendall(GET)
            assert wait_until(served.is_silent, 5.0)
            before = served.beats
            served.may_answer.set()
            assert third.recv(1000).startswith(b"HTTP/1.1 200")
    assert wait_until(lambda: served.beats > before, 5.0)
