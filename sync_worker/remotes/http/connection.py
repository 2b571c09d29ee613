"""Connections that keep one total deadline and never reach into a private network.

``requests`` limits each read, never the whole answer: a server that drips one byte a second holds a
thread for ever, and one that never ends fills the memory. Here the socket itself knows when the
call ends, so headers, body and TLS handshake share one deadline, and how many bytes a try may read,
whatever they are: headers, interim answers, lengths of chunks. Only the system's name lookup cannot
be interrupted. Bodies are unpacked here, too, up to their limit: the libraries below unpack a part
as a whole, and a megabyte of gzip may hold a gigabyte.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from requests import Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError, SSLError
from urllib3.util.ssl_ import create_urllib3_context

from sync_worker.core.errors import Misconfigured
from sync_worker.core.unpacking import PLAIN, NotUnpackable, Unpacker

if TYPE_CHECKING:
    from typing_extensions import Buffer

CONNECT_SECONDS = 3.0
MAX_HEADER_BYTES = 128 * 1024
TOO_MANY_BYTES = "the answer is larger than allowed"
PART_BYTES = 65_536
MAX_PARTS = 50_000  # a server may flush each row; one that sends each byte costs seconds to read
ACCEPTED_ENCODING = "gzip"  # what we ask for; who packs unasked may also use deflate


@dataclass(slots=True)
class CallDeadline:
    """A call under way in this thread."""

    ends_at: float
    """When it must end, by ``time.monotonic``."""
    allow_private_hosts: bool
    has_sent: bool = False
    """Whether a byte of the current try was sent."""
    bytes_left: int = MAX_HEADER_BYTES
    """So many more bytes may be read in the current try; below 0: the remote sent too many."""

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the call has passed")
        return left


_thread = threading.local()


@contextmanager
def deadline_of_call(
    deadline_seconds: float, *, allow_private_hosts: bool
) -> Iterator[CallDeadline]:
    """The deadline of one call."""
    outer: CallDeadline | None = getattr(_thread, "deadline", None)
    ends_at = time.monotonic() + deadline_seconds
    # A call inside a call (fetching a token) ends no later than the outer one.
    if outer is not None:
        ends_at = min(ends_at, outer.ends_at)
    deadline = CallDeadline(ends_at, allow_private_hosts)
    _thread.deadline = deadline
    try:
        yield deadline
    finally:
        _thread.deadline = outer


class _Socket(socket.socket):
    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        deadline: CallDeadline = _thread.deadline
        self.settimeout(deadline.remaining())
        count = super().recv_into(buffer, nbytes, flags)
        deadline.bytes_left -= count
        if deadline.bytes_left < 0:
            raise OSError(TOO_MANY_BYTES)
        return count


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        deadline: CallDeadline = _thread.deadline
        self.settimeout(deadline.remaining())
        count = super().recv_into(buffer, nbytes, flags)
        deadline.bytes_left -= count
        if deadline.bytes_left < 0:
            raise OSError(TOO_MANY_BYTES)
        return count


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NEVER_OUTSIDE = (
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible addresses, deprecated
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated ones, RFC 2765
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # a network's own NAT64, RFC 8215
    ipaddress.IPv6Network("fec0::/10"),  # site-local ones, deprecated
)


def _is_public(address: str) -> bool:
    """Whether an address leads outside, also where IPv6 wraps an IPv4 address."""
    # A link-local address may carry a zone (`fe80::1%eth0`).
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in NEVER_OUTSIDE):
            return False
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = wrapped or ip
    # Python counts some multicast addresses as global.
    return ip.is_global and not ip.is_multicast


class _DeadlineConnection(HTTPConnection):
    """Connects to the very addresses it has checked: a name may resolve anew a moment later."""

    def _new_conn(self) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, address in self._addresses():
            sock = _Socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(min(CONNECT_SECONDS, _thread.deadline.remaining()))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        words = f"no address of the host answers: {type(failure).__name__}"
        raise NewConnectionError(self, words) from failure

    def _addresses(self) -> list[tuple[Any, ...]]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            # UnicodeError: the name cannot be written in IDNA.
            cause = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, cause) from error
        if _thread.deadline.allow_private_hosts:
            return list(found)
        public = [entry for entry in found if _is_public(str(entry[4][0]))]
        if not public:
            raise Misconfigured(
                f"{self.host} has a private address; only a remote marked as private may be in your"
                " own network"
            )
        return list(public)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        # Before the first byte: whatever fails from here on may have reached the remote.
        _thread.deadline.has_sent = True
        super().send(data)


class _DeadlineTlsConnection(_DeadlineConnection, HTTPSConnection):
    def connect(self) -> None:
        """With the authorities that this process has read already."""
        place = self.ca_certs or self.ca_cert_dir
        if place is not None:
            try:
                self.ssl_context = tls_context(place, os.stat(place).st_mtime_ns)
            except OSError as error:
                raise SSLError(error) from error
            self.ca_certs = self.ca_cert_dir = None
        super().connect()


@lru_cache(maxsize=2)
def tls_context(authorities: str, changed_at: int) -> ssl.SSLContext:
    """For all clients of this process: to read the authorities takes 70 ms and 700 kB each time.

    ``authorities``: a file or a folder; ``changed_at``: read anew when it has changed.
    """
    context = create_urllib3_context()
    context.sslsocket_class = _TlsSocket
    if os.path.isdir(authorities):
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(cafile=authorities)
    return context


class _Pool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineTlsConnection


def connection_to(host: str, port: int | None, *, is_tls: bool) -> HTTPConnection:
    """A connection for one look, made and used inside :func:`deadline_of_call`.

    It takes any certificate: whether that is to be trusted is for the calls to say.
    """
    if not is_tls:
        return _DeadlineConnection(host, port)
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
    context.sslsocket_class = _TlsSocket
    return _DeadlineTlsConnection(host, port, ssl_context=context, cert_reqs="CERT_NONE")


class DeadlineAdapter(HTTPAdapter):
    """A transport for ``requests`` whose calls are made inside :func:`deadline_of_call`."""

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def build_response(self, req: Any, resp: Any) -> Response:
        """The answer, without a cookie jar: what a remote sets is nothing that we would keep."""
        answer = Response()
        answer.status_code, answer.headers = resp.status, CaseInsensitiveDict(resp.headers)
        answer.raw, answer.reason, answer.url = resp, resp.reason, req.url
        answer.request, answer.connection = req, self
        return answer


class TooLarge(Exception):
    """The answer is larger than allowed."""


class Unreadable(Exception):
    """The answer is packed in a way that we did not ask for, broken, or in crumbs."""


def read_body(raw: Any, limit: int) -> bytes:
    """The body of an answer of urllib3, unpacked. Raises TooLarge, Unreadable, and its errors."""
    packed = None
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    try:
        if encoding not in PLAIN:
            packed = Unpacker(encoding)
        body = bytearray()
        for number, part in enumerate(raw.stream(PART_BYTES, decode_content=False)):
            if number > MAX_PARTS:
                raise Unreadable
            # One byte above the limit tells that there is more.
            body += part if packed is None else packed.unpack(part, limit + 1 - len(body))
            if len(body) > limit:
                raise TooLarge
        if packed is not None:
            packed.end()
    except NotUnpackable:
        raise Unreadable from None
    return bytes(body)
