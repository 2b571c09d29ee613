"""One try of a call: a request out, an answer in.

Only to the addresses that were configured, in a lane of its own, and never while the remote hangs.
"""

from __future__ import annotations

import re
import time
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from sync_worker.core import exact_json
from sync_worker.core.errors import Misconfigured, Permanent, RateLimited, SyncError, Transient
from sync_worker.core.outside_words import for_people
from sync_worker.core.words import as_received
from sync_worker.remotes.http.answers import AnswerReader
from sync_worker.remotes.http.budget import AccountSlots
from sync_worker.remotes.http.calls import UNSET, Answer, Call, Content, Sent
from sync_worker.remotes.http.connection import (
    ACCEPTED_ENCODING,
    MAX_HEADER_BYTES,
    CallDeadline,
    DeadlineAdapter,
    TooLarge,
    Unreadable,
    read_body,
)
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.http.retries import TryAgain
from sync_worker.remotes.http.unreached import (
    own_authorities,
    why_not_answered,
    why_not_connected,
)

# Who finds no lane or no slot free comes again later, and leaves the thread to others.
LANE_SECONDS = 2.0
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
HEADER_VALUE = re.compile(r"|[!-~\xa0-\xff][\t -~\xa0-\xff]*")
PORTS = {"http": 80, "https": 443}
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODING,
    "User-Agent": "ratings-sync",
}


class Transport:
    """The connections to one remote. Thread-safe; ``close`` ends them.

    ``reader`` words the errors. ``outage``: what all calls to this remote found out about it.
    ``slots``: what the calls of the whole process share.
    """

    def __init__(
        self,
        base_url: str,
        options: HttpOptions,
        reader: AnswerReader,
        outage: Outage,
        slots: AccountSlots,
    ) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._base = urlsplit(base_url)
        self._hosts = options.allowed_hosts | {self._base.hostname or ""}
        self._options, self._reader, self._outage = options, reader, outage
        self._slots, self._account = slots.slots, slots.account
        self._authorities = own_authorities()
        self._lanes = BoundedSemaphore(options.lanes)
        # Without a session of requests: that one keeps cookies, and reads each redirect whole.
        self._adapter = DeadlineAdapter(pool_connections=4, pool_maxsize=options.pool_size)

    def close(self) -> None:
        self._adapter.close()

    def send(self, call: Call, proof: Mapping[str, str], deadline: CallDeadline) -> Answer:
        """The answer of the remote, whatever it says.

        ``proof``: the headers that say who we are. Raises TryAgain or the final error where no
        whole answer came.
        """
        # A new try: nothing is sent yet, and headers are all that may be read.
        deadline.has_sent, deadline.bytes_left = False, MAX_HEADER_BYTES
        request = self._prepared(call, proof)
        with self._lane(call, deadline):
            ticket, is_answered = self._outage.begin(), False
            try:
                # The wait for a lane and a slot may have used up the time.
                deadline.remaining()
                # No time-out: our sockets keep the deadline of the whole call, requests cannot.
                with self._adapter.send(
                    request, stream=True, timeout=None, verify=self._authorities
                ) as response:
                    body = self._body(response, deadline)
                is_answered = True
            except (TooLarge, Unreadable) as error:
                is_answered = True
                raise self._unread(call, error) from None
            except (requests.RequestException, HTTPError, OSError) as error:
                # Not chained: what requests says holds the whole address, and the address may hold
                # a secret.
                raise self._lost(call, deadline, error, request.url or "") from None
            finally:
                self._outage.end(ticket, answered=is_answered)
        sent = Sent(request.url or "", proof)
        return Answer(response.status_code, response.headers, *_parsed(body), sent)

    @contextmanager
    def _lane(self, call: Call, deadline: CallDeadline) -> Iterator[None]:
        """One of the calls that may be under way at a time, to this remote and in all.

        Raises RateLimited, Away.
        """
        # A second is left for the call itself.
        until = min(time.monotonic() + LANE_SECONDS, deadline.ends_at - 1.0)
        self._outage.check()
        if not self._lanes.acquire(timeout=max(0.0, until - time.monotonic())):
            raise self._no_room(call)
        try:
            # The lane first: who waits for one must not keep a slot from the other remotes.
            if not self._slots.take(self._account, until - time.monotonic()):
                raise self._no_room(call)
            try:
                yield
            finally:
                self._slots.give_back(self._account)
        finally:
            self._lanes.release()

    def _no_room(self, call: Call) -> RateLimited:
        facts = self._reader.facts(call)
        return RateLimited("other calls are under way", retry_after=1.0, facts=facts)

    def _body(self, response: requests.Response, deadline: CallDeadline) -> bytes:
        # We follow no redirect, so nobody needs its body, and it may be endless.
        if 300 <= response.status_code < 400:
            return b""
        limit = self._options.max_body_bytes
        # Twice: what is sent in chunks has their lengths between them.
        deadline.bytes_left += 2 * limit
        body = read_body(response.raw, limit)
        # Read to its end: the connection serves the next call.
        response.raw.release_conn()
        return body

    def _unread(self, call: Call, error: TooLarge | Unreadable) -> SyncError:
        """What to raise for an answer that we do not read; another try would bring the same."""
        # A write may have been carried out, whatever its answer looks like.
        if call.is_write:
            return self._reader.unknown(call)
        message = "the answer is packed or cut in a way that cannot be read"
        if isinstance(error, TooLarge):
            message = f"the answer is larger than {self._options.max_body_bytes} bytes"
        return Transient(message, facts=self._reader.facts(call))

    def _lost(
        self, call: Call, deadline: CallDeadline, error: Exception, url: str
    ) -> SyncError | TryAgain:
        """What to raise where no whole answer came."""
        if deadline.bytes_left < 0:
            return self._unread(call, TooLarge())
        # Nothing was sent, so any call may be tried again.
        if not deadline.has_sent:
            message = why_not_connected(error, url)
            return TryAgain(Transient(message, facts=self._reader.facts(call)))
        # A read changes nothing, so it may be tried again.
        if not call.is_write:
            message = why_not_answered(error, url)
            return TryAgain(Transient(message, facts=self._reader.facts(call)))
        # A write was sent and its answer is lost.
        unknown = self._reader.unknown(call)
        # A bare create is never repeated: the engine finds out by looking.
        return TryAgain(unknown) if call.is_idempotent else unknown

    # -- the request

    def _prepared(self, call: Call, proof: Mapping[str, str]) -> requests.PreparedRequest:
        url = call.path
        if "://" not in url:
            url = urljoin(self._base_url, url.lstrip("/"))
        if not self._is_admitted(url):
            raise Permanent(
                "the address is not on an allowed host",
                reason="host_not_allowed",
                facts=self._reader.facts(call),
            )
        headers = CaseInsensitiveDict(HEADERS)
        for more in (self._options.headers, proof, call.headers or {}):
            headers.update(more)
        for name, value in headers.items():
            # A plugin may sign with bytes, as requests takes them, too.
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not (HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(text)):
                raise self._unsendable(call, name)
        body = None
        if call.json is not UNSET:
            body = as_received(exact_json.dumps(call.json)).encode()
            headers.setdefault("Content-Type", "application/json")
        elif call.form is not None:
            body = urlencode(call.form).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        # Without what requests would ask of each call besides: cookies, hooks, a password in the
        # address, headers that were checked above.
        request = requests.PreparedRequest()
        request.method, request.headers = call.method, headers
        request.prepare_url(url, call.query)
        request.body = body or None
        request.prepare_content_length(request.body)
        # Last, since a signature covers the finished address and body.
        if self._options.sign is not None:
            self._options.sign(request)
        return request

    def _unsendable(self, call: Call, header: str) -> SyncError:
        """The error for a header that no request can carry; a record's own concerns it alone.

        Libraries would tell of it with the whole value, which may be a secret.
        """
        words = (
            f"no request can carry the header {for_people(header)}: it holds a character that"
            " does not belong there"
        )
        facts = self._reader.facts(call)
        if header in (call.headers or {}):
            return Permanent(words, reason="refused", facts=facts)
        return Misconfigured(f"{words}; set its value again as plain text", facts=facts)

    def _is_admitted(self, url: str) -> bool:
        """Whether an address may be called: our own scheme and port, an allowed host, no password.

        An address out of an answer is somebody's wish.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
            own_port = self._base.port or PORTS.get(self._base.scheme)
        except ValueError:
            # A port that is no number, or brackets that hold no IPv6 address.
            return False
        if (parts.scheme, port) != (self._base.scheme, own_port):
            return False
        # Some parsers read a backslash as a slash, and so see another host.
        return parts.hostname in self._hosts and "@" not in parts.netloc and "\\" not in url


def _parsed(body: bytes) -> tuple[Any, Content]:
    # One file of PHP saved with a byte order mark puts that before every answer.
    text = body.removeprefix(BOM_UTF8)
    if not text.strip():
        return None, Content.EMPTY
    try:
        return exact_json.loads(text), Content.JSON
    except ValueError:
        # Gateways in front of an API answer HTML.
        return None, Content.OTHER
