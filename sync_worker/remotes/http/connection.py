"""Connections that keep one total deadline and never reach into a private network.

``requests`` limits each read, never the whole answer: a server that drips one byte a second holds a
thread for ever. Here the socket itself knows when the call ends, so headers, body and TLS handshake
share one deadline. Only the system's name lookup cannot be interrupted.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from sync_worker.core.errors import Misconfigured

if TYPE_CHECKING:
    from typing_extensions import Buffer

CONNECT_SECONDS = 3.0


@dataclass(slots=True)
class CallDeadline:
    """A call under way in this thread."""

    ends_at: float
    """When it must end, by ``time.monotonic``."""
    allow_private_hosts: bool
    has_sent: bool = False
    """Whether a byte of the current try was sent."""

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the call has passed")
        return left


_thread = threading.local()


def _current() -> CallDeadline:
    deadline: CallDeadline = _thread.deadline
    return deadline


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
        self.settimeout(_current().remaining())
        return super().recv_into(buffer, nbytes, flags)


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(_current().remaining())
        return super().recv_into(buffer, nbytes, flags)


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
                sock.settimeout(min(CONNECT_SECONDS, _current().remaining()))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise NewConnectionError(self, f"no address of the host answers: {type(failure).__name__}")

    def _addresses(self) -> list[tuple[Any, ...]]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            # UnicodeError: the name cannot be written in IDNA.
            cause = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, cause) from error
        if _current().allow_private_hosts:
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
        _current().has_sent = True
        super().send(data)


class _DeadlineTlsConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineTlsConnection


class DeadlineAdapter(HTTPAdapter):
    """A transport for ``requests`` whose calls are made inside :func:`deadline_of_call`."""

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = _TlsSocket
        super().init_poolmanager(connections, maxsize, block, ssl_context=context, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
