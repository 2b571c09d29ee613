"""No answer of a remote costs more than its limit: memory, time and bytes of a process of its own.

Whatever the remote sends: redirects, compressed bombs, endless headers or chunks, cookies.
"""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from typing import Any

import pytest

from sync_worker.core.errors import SyncError
from sync_worker.doctor.addresses import LOOK_SECONDS, Place, look_at
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from tests.commands import run_forked

MEGABYTE = 1024 * 1024


def call_of_its_own(url: str, method: str, calls: int, seconds: float) -> dict[str, Any]:
    """How calls ended, and what they cost this process, which does nothing else, in memory."""
    http = RemoteHttp(
        url,
        remote="test",
        authorization=FixedHeaders({}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True, deadline_seconds=seconds),
    )
    call = Call(method, "/r", "get", is_write=method != "GET")
    facts = [""]

    def ended() -> Any:
        try:
            return http.call(call).body
        except SyncError as error:
            facts.append(str(error))
            return type(error).__name__ + ": " + error.message

    before = peak()
    ends = [ended() for _ in range(calls)]
    return {"ends": ends, "megabytes": peak() - before, "logged": max(map(len, facts))}


def peak() -> int:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@dataclass
class RawServer:
    """Answers each request with these bytes, as far as they are read."""

    url: str
    sent: int = 0  # bytes that somebody took
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def call(self, method: str = "GET", calls: int = 1, seconds: float = 8.0) -> dict[str, Any]:
        """How calls of a process of its own ended, and what they cost it in memory."""
        told: dict[str, Any] = run_forked(call_of_its_own, self.url, method, calls, seconds)
        return told


@contextmanager
def raw_server(answer: Callable[[], Iterator[bytes]]) -> Iterator[RawServer]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = RawServer(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):
                while asked := client.recv(65_536):
                    server.requests.append(asked)
                    for part in answer():
                        client.sendall(part)
                        server.sent += len(part)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    server.connections += 1
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


def head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def endless(first: bytes, part: bytes) -> Callable[[], Iterator[bytes]]:
    """The beginning, and then the same for at most a gigabyte."""

    def answer() -> Iterator[bytes]:
        yield first
        yield from repeat(part, 1024 * MEGABYTE // len(part))

    return answer


CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
ENDLESS = {
    "body": endless(head(Content_Length=str(10**10)), b"x" * 65_536),
    "body without a length": endless(head(Connection="close"), b"x" * 65_536),
    "chunks": endless(head(Transfer_Encoding="chunked"), CHUNK),
    "chunks of one byte": endless(head(Transfer_Encoding="chunked"), b"1\r\nx\r\n" * 10_000),
    "length of a chunk": endless(head(Transfer_Encoding="chunked"), b"0" * 65_536),
    "trailers": endless(head(Transfer_Encoding="chunked") + b"0\r\n", b"X-T: 1\r\n" * 8_000),
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-H: " + b"x" * 60_000 + b"\r\n"),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    "error": endless(head("500 Oops", Connection="close"), b"x" * 65_536),
} | {
    f"redirect {status}": endless(head(f"{status} Away", Location="/r"), b"x" * 65_536)
    for status in (300, 301, 302, 303, 305, 307, 308)
}


LASTING_REDIRECTS = {f"redirect {status}" for status in (300, 301, 305, 308)}


@pytest.mark.full
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_answer_without_an_end_costs_neither_memory_nor_time(kind: str, method: str) -> None:
    """A gigabyte is offered; a few megabytes are read, whatever they look like."""
    with raw_server(ENDLESS[kind]) as server:
        told = server.call(method)
    assert told["megabytes"] < 24, told
    assert server.sent < 32 * MEGABYTE
    (end,) = told["ends"]
    if kind.startswith("redirect"):
        assert len(server.requests) == 1, "a redirect was followed, or asked for again"
    if kind in LASTING_REDIRECTS:
        assert end == "Permanent: the remote answered with a redirect to /r"
    else:
        assert end.startswith("UnknownOutcome" if method == "POST" else "Transient"), end


def look_of_its_own(url: str) -> list[Any]:
    before = time.process_time()
    seen = look_at(Place("shop", url, may_be_private=True))
    return [seen and seen.host, time.process_time() - before]


@pytest.mark.full
@pytest.mark.parametrize("kind", ENDLESS)
def test_look_at_an_address_ends_whatever_it_sends(kind: str) -> None:
    """At its clock and its certificate: some hundred kilobytes are read, and nothing is asked."""
    with raw_server(ENDLESS[kind]) as server:
        _, processor_seconds = run_forked(look_of_its_own, server.url, timeout=LOOK_SECONDS + 20)
    assert processor_seconds < 1
    assert server.sent < 8 * MEGABYTE
    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize(("may_be_private", "is_seen"), [(True, True), (False, False)])
def test_look_goes_into_a_private_network_only_where_it_may(
    may_be_private: bool, is_seen: bool
) -> None:
    with raw_server(lambda: iter([head(Date="Mon, 02 Jan 2006 15:04:05 GMT")])) as server:
        seen = look_at(Place("shop", server.url, may_be_private=may_be_private))
        assert (seen is not None, bool(server.connections)) == (is_seen, is_seen)


@pytest.mark.full
def test_too_large_answer_says_so_and_is_not_asked_for_again() -> None:
    with raw_server(ENDLESS["body"]) as server:
        told = server.call()
    assert told["ends"] == ["Transient: the answer is larger than 2097152 bytes"]
    assert len(server.requests) == 1


def compressed(body: bytes, encoding: str, packed: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([head(Content_Encoding=encoding, Content_Length=str(len(packed))) + packed])


@cache
def a_gigabyte_of_zeros(form: str) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if form == "gzip" else 15)
    return b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(1024)) + packer.flush()


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "br", "zstd"])
def test_compressed_bomb_costs_no_memory(encoding: str) -> None:
    """A gigabyte of zeros in a megabyte; twice packed it is a few kilobytes."""
    packed = a_gigabyte_of_zeros("gzip" if "gzip" in encoding else "deflate")
    if encoding == "gzip, gzip":
        packed = gzip.compress(packed)
    with raw_server(compressed(b"", encoding, packed)) as server:
        told = server.call()
    assert told["megabytes"] < 24, told
    assert told["ends"][0].startswith("Transient: "), told


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "two gzip members"])
def test_compressed_answer_is_read_whole(encoding: str) -> None:
    body = json.dumps({"rows": ["é" * 50_000]}).encode()
    packed = gzip.compress(body)
    if encoding == "deflate":
        packed = zlib.compress(body)
    if encoding == "raw deflate":
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(body) + packer.flush()
    if encoding == "two gzip members":
        packed = gzip.compress(body[:100]) + gzip.compress(body[100:])
    name = "gzip" if "gzip" in encoding else "deflate"
    with raw_server(compressed(body, name, packed)) as server:
        told = server.call()
    assert told["ends"] == [{"rows": ["é" * 50_000]}]


@pytest.mark.full
def test_compressed_answer_that_breaks_off_is_not_taken_for_whole() -> None:
    packed = gzip.compress(b'{"rows": []}' + b" " * 1000)[:-12]
    with raw_server(compressed(b"", "gzip", packed)) as server:
        told = server.call()
    assert told["ends"][0].startswith("Transient: "), told


@pytest.mark.full
def test_cookies_of_a_remote_are_neither_kept_nor_sent_back() -> None:
    """Fifty answers with the cookies of a hostile remote cost no memory and come back with none."""
    numbers = iter(range(10**9))

    def answer() -> Iterator[bytes]:
        cookies = "".join(
            f"Set-Cookie: c{next(numbers)}={'x' * 1000}; Max-Age=99999\r\n" for _ in range(60)
        )
        yield f"HTTP/1.1 200 OK\r\n{cookies}Content-Length: 2\r\n\r\n{{}}".encode()

    with raw_server(answer) as server:
        told = server.call(calls=300)
    assert told["ends"] == [{}] * 300
    assert told["megabytes"] < 12, told
    assert not [asked for asked in server.requests if b"cookie" in asked.lower()]
    assert server.connections == 1, "a connection serves call after call"


@pytest.mark.full
def test_trickle_ends_with_the_deadline() -> None:
    """A byte now and then, in headers as in chunks, holds the call no longer than its deadline."""

    def trickle(first: bytes, part: bytes) -> Callable[[], Iterator[bytes]]:
        def answer() -> Iterator[bytes]:
            yield first
            while True:
                threading.Event().wait(0.2)
                yield part

        return answer

    for first, part in (
        (head(Transfer_Encoding="chunked"), b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-H: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ):
        with raw_server(trickle(first, part)) as server:
            told = server.call(seconds=2.0)
        assert told["ends"][0].startswith("Transient: "), told


@pytest.mark.full
def test_words_of_a_remote_in_an_error_are_short() -> None:
    """What it calls a request goes into logs and messages, where it has no room for a novel."""
    long = "x" * 60_000
    with raw_server(
        lambda: iter([head("404 No", X_Request_Id=long, Content_Length="0")])
    ) as server:
        told = server.call()
    assert len(told["ends"][0]) < 200
    assert told["logged"] < 400
