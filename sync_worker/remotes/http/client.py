"""One HTTP client for each remote: a total deadline, few careful retries, the request budget, and
errors by what to do.

Status codes turn into errors here and nowhere else. A write that may have reached the remote and
has no clear answer is an UnknownOutcome; it is never repeated blindly.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import BoundedSemaphore, local
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

import requests
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from sync_worker.core import exact_json
from sync_worker.core.errors import (
    Away,
    Facts,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.remotes.http.connection import CallDeadline, DeadlineAdapter, deadline_of_call
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.http.waits import Waits

DEADLINE_SECONDS = 8.0
MAX_BODY_BYTES = 2 * 1024 * 1024
LANE_SECONDS = (
    2.0  # who finds no lane free for so long comes again later, and leaves the slot to others
)
WAIT_INSIDE_SECONDS = 2.0  # a longer Retry-After goes to the inbox row's next attempt
UNSET: Any = object()
Signer = Callable[[requests.PreparedRequest], None]
PORTS = {"http": 80, "https": 443}

log = structlog.get_logger(__name__)


class Budget(Protocol):
    """The request budget of one remote account, shared by the fleet."""

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""

    def penalise(self, seconds: float) -> None:
        """The remote said 429: nobody of the fleet asks for this long."""


class Authorization(Protocol):
    """How calls prove who we are."""

    def headers(self) -> Mapping[str, str]: ...

    def refresh(self) -> bool:
        """The remote said 401: drop what we have. Returns whether trying once more makes sense."""


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """Authorization that never changes."""

    values: Mapping[str, str]

    def headers(self) -> Mapping[str, str]:
        return self.values

    def refresh(self) -> bool:
        return False


class NoBudget:
    """For calls that do not count."""

    def take(self) -> None:
        return

    def penalise(self, seconds: float) -> None:
        return


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is the parsed JSON, ``None`` if the answer was not JSON.

    ``attempts``: how often we sent the call.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    attempts: int = 1

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``path`` under the base URL, or the whole address of a next page.

    ``outcomes`` may claim any answer: by the error for it, or by ``True`` for a success.
    ``successes``: the only statuses that are one (empty: every 2xx).
    """

    method: str
    path: str
    operation: str
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    json: Any = UNSET
    form: Mapping[str, str] | None = None
    is_write: bool = False
    is_idempotent: bool = True
    successes: frozenset[int] = frozenset()
    outcomes: Callable[[Answer], SyncError | bool | None] = lambda answer: None

    def succeeded(self, answer: Answer) -> bool:
        return answer.status in self.successes if self.successes else answer.is_success


class _TryAgain(Exception):
    """A failed try; ``error`` is what the caller gets if no further try helps."""

    def __init__(
        self, error: SyncError, *, is_repeatable: bool, wait_seconds: float | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_repeatable = is_repeatable
        self.wait_seconds = wait_seconds


class RemoteHttp:
    """Calls one remote. Thread-safe; ``close`` ends its connections.

    ``code_of`` reads the remote's own error code out of a body, for logs and decisions. ``sign``
    finishes a request that is ready. ``concurrency``: calls of this process under way at the same
    time. ``observe`` is told each call:
    remote, operation, status or error, seconds; ``observe_wait`` each wait that the remote asks
    for: remote, seconds. ``outage``: what the calls of all clients of this remote share.
    """

    def __init__(
        self,
        base_url: str,
        *,
        remote: str,
        authorization: Authorization,
        budget: Budget,
        allowed_hosts: frozenset[str] = frozenset(),
        allow_private_hosts: bool = False,
        headers: Mapping[str, str] | None = None,
        code_of: Callable[[Any], str] = lambda body: "",
        deadline_seconds: float = DEADLINE_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
        pool_size: int = 32,
        concurrency: int | None = None,
        waits: Waits = Waits(),  # noqa: B008 - frozen
        sign: Signer | None = None,
        sleep: Callable[[float], None] = time.sleep,
        observe: Callable[[str, str, int | str, float], None] = lambda *_: None,
        observe_wait: Callable[[str, float], None] = lambda *_: None,
        outage: Outage | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._base = urlsplit(base_url)
        self._hosts = allowed_hosts | {self._base.hostname or ""}
        self._remote = remote
        self._authorization = authorization
        self._budget = budget
        self._allow_private_hosts = allow_private_hosts
        self._code_of = code_of
        self._deadline_seconds = deadline_seconds
        self._max_body_bytes = max_body_bytes
        self._waits, self._sign, self._sleep = waits, sign, sleep
        self._observe, self._observe_wait = observe, observe_wait
        self._lanes = BoundedSemaphore(concurrency or pool_size)
        self._outage = outage or Outage((concurrency or pool_size) * 3 // 4)
        self._prepaid = local()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies, no .netrc: what we call is what is configured
        self._session.headers.update({"Accept": "application/json", "User-Agent": "ratings-sync"})
        self._session.headers.update(headers or {})
        adapter = DeadlineAdapter(pool_connections=4, pool_maxsize=pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        self._session.close()

    def reserve_request(self) -> None:
        """Take the next call's token now; it belongs to this thread. Raises RateLimited, Away."""
        self._outage.check()
        self._budget.take()
        self._prepaid.has_token = True

    def prepay(self) -> None:
        """The name of ``reserve_request`` for plugins written for an earlier release."""
        warnings.warn("RemoteHttp.prepay is now reserve_request", DeprecationWarning, stacklevel=2)
        self.reserve_request()

    def call(self, call: Call) -> Answer:
        """The answer to a call, or the error that says what to do next."""
        started = time.monotonic()
        with deadline_of_call(
            self._deadline_seconds, allow_private_hosts=self._allow_private_hosts
        ) as deadline:
            try:
                answer = self._with_retries(call, deadline)
            except _TryAgain as failure:
                self._log(call, started, _outcome(failure.error))
                raise failure.error from None
            except SyncError as error:
                self._log(call, started, _outcome(error))
                raise
        self._log(call, started, answer.status)
        return answer

    def _log(self, call: Call, started: float, outcome: int | str) -> None:
        seconds = time.monotonic() - started
        self._observe(self._remote, call.operation, outcome, seconds)
        ms = round(seconds * 1000)
        log.debug(
            "remote_call", remote=self._remote, operation=call.operation, outcome=outcome, ms=ms
        )

    def _with_retries(self, call: Call, deadline: CallDeadline) -> Answer:
        retrying = Retrying(
            stop=stop_after_attempt(self._waits.tries),
            retry=retry_if_exception(
                lambda error: isinstance(error, _TryAgain) and error.is_repeatable
            ),
            wait=lambda state: _wait_seconds(state, deadline),
            sleep=self._sleep,
            reraise=True,
        )
        has_landed_maybe = False
        for attempt in retrying:
            with attempt:
                number = attempt.retry_state.attempt_number
                try:
                    return self._try(call, deadline, number)
                except (RateLimited, Away) as refusal:
                    if (
                        has_landed_maybe
                    ):  # an earlier try may have been carried out: that must be found out first
                        raise self._unknown(call, refusal.retry_after) from refusal
                    raise
                except _TryAgain as failure:
                    if has_landed_maybe and isinstance(failure.error, RateLimited):
                        failure.error = self._unknown(call, failure.wait_seconds)
                    has_landed_maybe |= isinstance(failure.error, UnknownOutcome)
                    raise
        raise AssertionError("tenacity ends with an answer or an error")

    def _try(self, call: Call, deadline: CallDeadline, number: int) -> Answer:
        self._pay()
        answer = self._send(call, deadline, number)
        if answer.status == 401 and self._authorization.refresh():
            self._budget.take()
            answer = self._send(call, deadline, number)
        claimed = call.outcomes(answer)
        if isinstance(claimed, RateLimited):
            raise self._too_fast(call, answer)
        if isinstance(claimed, Transient):
            claimed.retry_after = self._wished(answer)
        if isinstance(claimed, SyncError):
            claimed.facts = self._facts(call, answer)
            raise claimed
        if claimed or call.succeeded(answer):
            return answer
        raise self._error(call, answer)

    def _pay(self) -> None:
        if getattr(self._prepaid, "has_token", False):
            self._prepaid.has_token = False
        else:
            self._budget.take()

    def _send(self, call: Call, deadline: CallDeadline, number: int) -> Answer:
        deadline.has_sent = False
        request = self._prepare(call)
        wait = min(LANE_SECONDS, deadline.ends_at - time.monotonic() - 1.0)
        self._outage.check()
        if not self._lanes.acquire(timeout=max(0.0, wait)):
            raise RateLimited("other calls are under way", retry_after=1.0, facts=self._facts(call))
        try:
            return self._exchange(call, request, deadline, number)
        finally:
            self._lanes.release()

    def _exchange(
        self, call: Call, request: requests.PreparedRequest, deadline: CallDeadline, number: int
    ) -> Answer:
        ticket, is_answered = self._outage.begin(), False
        try:
            deadline.remaining()
            with self._session.send(
                request, stream=True, allow_redirects=False, timeout=None
            ) as response:
                body = self._read(response)
            is_answered = True
        except Misconfigured:
            raise
        except (requests.RequestException, OSError) as error:
            # Not chained: what requests says holds the whole address, and the address may hold a
            # secret.
            raise self._transport_failure(call, deadline, error) from None
        finally:
            self._outage.end(ticket, answered=is_answered)
        return Answer(response.status_code, response.headers, _parsed(body), number)

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        url = call.path if "://" in call.path else urljoin(self._base_url, call.path.lstrip("/"))
        if not self._is_admitted(url):
            raise Permanent(
                "the address is not on an allowed host",
                reason="host_not_allowed",
                facts=self._facts(call),
            )
        headers = {**self._authorization.headers(), **(call.headers or {})}
        body = None
        if call.json is not UNSET:
            body = exact_json.dumps(call.json).encode()
            headers.setdefault("Content-Type", "application/json")
        elif call.form is not None:
            body = urlencode(call.form).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        request = self._session.prepare_request(
            requests.Request(call.method, url, params=call.query, headers=headers, data=body)
        )
        if self._sign is not None:
            self._sign(request)
        return request

    def _is_admitted(self, url: str) -> bool:
        """Our own scheme and port, an allowed host, no credentials: an address from an answer is
        somebody's wish.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
            own_port = self._base.port or PORTS.get(self._base.scheme)
        except ValueError:
            return False
        is_ours = (parts.scheme, port) == (
            self._base.scheme,
            own_port,
        ) and parts.hostname in self._hosts
        return is_ours and "@" not in parts.netloc and "\\" not in url

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > self._max_body_bytes:
                raise requests.exceptions.ContentDecodingError("the answer is larger than allowed")
        return bytes(body)

    # -- errors

    def _facts(self, call: Call, answer: Answer | None = None) -> Facts:
        if answer is None:
            return Facts(self._remote, call.operation)
        request_id = (
            answer.headers.get("X-Wix-Request-Id") or answer.headers.get("X-Request-Id") or ""
        )
        return Facts(
            self._remote, call.operation, answer.status, self._code_of(answer.body), request_id
        )

    def _unknown(self, call: Call, retry_after: float | None = None) -> UnknownOutcome:
        return UnknownOutcome(
            "the write may have landed", retry_after=retry_after, facts=self._facts(call)
        )

    def _transport_failure(self, call: Call, deadline: CallDeadline, error: Exception) -> _TryAgain:
        if not deadline.has_sent:
            unsent = Transient("could not connect", facts=self._facts(call))
            return _TryAgain(unsent, is_repeatable=True)
        if call.is_write:
            return _TryAgain(self._unknown(call), is_repeatable=call.is_idempotent)
        lost = Transient(f"no whole answer: {type(error).__name__}", facts=self._facts(call))
        return _TryAgain(lost, is_repeatable=True)

    def _wished(self, answer: Answer) -> float | None:
        """How long a refusal asks us to wait."""
        wait = self._waits.seconds(answer.headers)
        if wait is not None:
            self._observe_wait(self._remote, wait)
        return wait

    def _too_fast(self, call: Call, answer: Answer) -> _TryAgain:
        wait = self._wished(answer)
        self._budget.penalise(wait if wait is not None else 5.0)
        limited = RateLimited(retry_after=wait, facts=self._facts(call, answer))
        return _TryAgain(
            limited,
            is_repeatable=wait is not None and wait <= WAIT_INSIDE_SECONDS,
            wait_seconds=wait,
        )

    def _error(self, call: Call, answer: Answer) -> Exception:
        facts = self._facts(call, answer)
        if answer.status in self._waits.statuses:
            return self._too_fast(call, answer)
        if answer.is_success:  # but not the success that the manifest names
            return (
                self._unknown(call)
                if call.is_write
                else Permanent("an unexpected answer", facts=facts)
            )
        if answer.status == 501:
            return Misconfigured("this remote does not offer the operation", facts=facts)
        if answer.status >= 500:
            wait = self._wished(answer)
            down = (
                self._unknown(call, wait)
                if call.is_write
                else Transient("the remote is down", retry_after=wait)
            )
            down.facts = facts
            is_soon = wait is None or wait <= WAIT_INSIDE_SECONDS
            return _TryAgain(down, is_repeatable=is_soon and call.is_idempotent, wait_seconds=wait)
        if answer.status in (401, 403):
            return Permanent(
                "the remote does not accept our credentials", reason="unauthorized", facts=facts
            )
        if 300 <= answer.status < 400:
            return Permanent(
                "the remote answered with a redirect", reason="redirected", facts=facts
            )
        return Permanent("the remote refused the request", reason="refused", facts=facts)


def _outcome(error: SyncError) -> int | str:
    """The status, or the error's name where no answer came."""
    return error.facts.status if error.facts.status is not None else type(error).__name__


def _wait_seconds(state: RetryCallState, deadline: CallDeadline) -> float:
    """The remote's wish, else a jittered pause; never beyond the deadline of the call."""
    error = state.outcome.exception() if state.outcome else None
    wished = error.wait_seconds if isinstance(error, _TryAgain) else None
    pause = wished if wished is not None else random.uniform(0.05, 0.2) * 2**state.attempt_number  # noqa: S311 - jitter spreads load; nothing to guess
    with suppress(TimeoutError):
        return min(pause, deadline.remaining())
    return 0.0


def _parsed(body: bytes) -> Any:
    try:
        return exact_json.loads(body) if body else None
    except ValueError:
        return None
