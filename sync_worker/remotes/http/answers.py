"""What an answer means: the one place where a status code turns into an error.

Pure: what follows from an error (a pause of the budget, a metric) is the client's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync_worker.core.errors import (
    Facts,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unauthorized,
    UnknownOutcome,
)
from sync_worker.remotes.http.calls import Answer, Call, Content
from sync_worker.remotes.http.credentials import credentials_of, without_secrets
from sync_worker.remotes.http.refusal_words import code_in, said_in
from sync_worker.remotes.http.retries import TryAgain
from sync_worker.remotes.http.unreached import where_it_leads
from sync_worker.remotes.http.waits import Waits

MAX_FACT = 128
WAIT_INSIDE_SECONDS = 2.0  # a longer Retry-After goes to the inbox row's next attempt
# They tell of a state that passes, or of an address that is not served just now: a lock, a slow
# line, a connection that leads elsewhere, a page in maintenance (RFC 9110, 4918, 8470; 499 is
# nginx's).
PASSING = frozenset({302, 303, 307, 404, 408, 410, 421, 423, 424, 425, 499})
# Of these the remote says by itself that it has done nothing.
NOT_DONE = frozenset({404, 410, 421, 423, 425})


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of one remote. ``code_of`` and ``waits``: as in HttpOptions."""

    remote: str
    code_of: Callable[[Any], str]
    waits: Waits

    def failure_in(self, call: Call, answer: Answer) -> SyncError | TryAgain | None:
        """What to raise for an answer; ``None`` for a success."""
        # The remote's own rules come first: a status may mean something else there.
        claimed = call.outcomes(answer)
        if isinstance(claimed, SyncError):
            return self._claimed(call, answer, claimed)
        if claimed:
            return None
        if answer.status in self.waits.statuses:
            return self._too_fast(call, answer)
        # Whatever its status: a proxy, a challenge or a warning speaks, and not the remote.
        if answer.content is Content.OTHER and is_foreign(call, answer):
            return self._foreign(call, answer)
        if call.succeeded(answer):
            return None
        if answer.status in PASSING:
            return self._passing(call, answer)
        if answer.is_success:
            return self._undeclared_success(call, answer)
        # 501 is no outage: a later try ends the same way.
        if answer.status >= 500 and answer.status != 501:
            return self._down(call, answer)
        return self._refusal(call, answer)

    def _claimed(self, call: Call, answer: Answer, error: SyncError) -> SyncError | TryAgain:
        """The error that the remote's own rules see in an answer."""
        if isinstance(error, RateLimited):
            return self._too_fast(call, answer)
        wait = self.waits.seconds(answer.headers)
        if isinstance(error, Transient) and wait is not None:
            error.retry_after = wait
        error.facts = self.facts(call, answer)
        return error

    def _too_fast(self, call: Call, answer: Answer) -> SyncError | TryAgain:
        wait = self.waits.seconds(answer.headers)
        limited = RateLimited(retry_after=wait, facts=self.facts(call, answer))
        # Without a wish the remote may mean minutes: that waits in SQL, not here.
        if wait is not None and wait <= WAIT_INSIDE_SECONDS:
            return TryAgain(limited)
        return limited

    def _undeclared_success(self, call: Call, answer: Answer) -> SyncError:
        """A 2xx, but not the one that the manifest names."""
        if call.is_write:
            return self.unknown(call)
        return Permanent("an unexpected answer", facts=self.facts(call, answer))

    def _foreign(self, call: Call, answer: Answer) -> SyncError:
        """Not in the form of the remote: an outage, and of a write nobody knows."""
        wait, facts = self.waits.seconds(answer.headers), self.facts(call, answer)
        if call.is_write:
            unknown = self.unknown(call, wait)
            unknown.facts = facts
            return unknown
        message = "the answer is no JSON: a page of a proxy or a plugin, or a warning before it"
        return Transient(message, retry_after=wait, facts=facts)

    def _passing(self, call: Call, answer: Answer) -> SyncError:
        """A refusal that passes by itself."""
        wait, facts = self.waits.seconds(answer.headers), self.facts(call, answer)
        if call.is_write and answer.status not in NOT_DONE:
            unknown = self.unknown(call, wait)
            unknown.facts = facts
            return unknown
        leading = _leading(answer, " with a redirect")
        message = f"the remote answers {answer.status}{leading}, which may pass"
        if answer.status in (404, 410):
            message = (
                f"the remote answers {answer.status}, but not in the words that say that a record"
                " is gone: an outage, or a wrong address"
            )
        return Transient(message, retry_after=wait, facts=facts)

    def _down(self, call: Call, answer: Answer) -> SyncError | TryAgain:
        wait = self.waits.seconds(answer.headers)
        down: Transient
        if call.is_write:
            down = self.unknown(call, wait)  # it may have been carried out before it failed
        else:
            down = Transient("the remote is down", retry_after=wait)
        down.facts = self.facts(call, answer)
        is_soon = wait is None or wait <= WAIT_INSIDE_SECONDS
        # A short wait, and a repetition does no harm.
        if is_soon and call.is_idempotent:
            return TryAgain(down)
        return down

    def _refusal(self, call: Call, answer: Answer) -> SyncError:
        facts = self.facts(call, answer)
        if answer.status == 501:
            return Misconfigured("this remote does not offer the operation", facts=facts)
        if answer.status in (401, 403):
            return Unauthorized("the remote does not accept our credentials", facts=facts)
        # We follow no redirect: it may lead to another host, with our credentials.
        if 300 <= answer.status < 400:
            words = f"the remote answered with a redirect{_leading(answer)}"
            return Permanent(words, reason="redirected", facts=facts)
        return Permanent("the remote refused the request", reason="refused", facts=facts)

    def unknown(self, call: Call, retry_after: float | None = None) -> UnknownOutcome:
        """The error for a write that may have been carried out."""
        return UnknownOutcome(
            "the write may have landed", retry_after=retry_after, facts=self.facts(call)
        )

    def facts(self, call: Call, answer: Answer | None = None) -> Facts:
        """What an error tells the logs."""
        if answer is None:
            return Facts(self.remote, call.operation)
        headers = answer.headers
        request_id = headers.get("X-Wix-Request-Id") or headers.get("X-Request-Id") or ""
        is_success = answer.is_success
        # A success may carry a whole record.
        ours = credentials_of(answer.sent)
        code = without_secrets(self.code_of(answer.body), ours)
        request_id = without_secrets(request_id, ours)
        said = ""
        if not is_success:
            code, said = code or code_in(answer.body, ours), said_in(answer.body, call, ours)
        # They are the remote's words, and go into logs and messages.
        code, request_id = code[:MAX_FACT], request_id[:MAX_FACT]
        return Facts(self.remote, call.operation, answer.status, code, request_id, said)


def _leading(answer: Answer, before: str = "") -> str:
    """Where a redirect leads; empty for other answers."""
    where = where_it_leads(answer.headers.get("Location"))
    return f"{before} to {where}" if where and 300 <= answer.status < 400 else ""


def is_foreign(call: Call, answer: Answer) -> bool:
    """Whether an answer in another form than JSON is none of the remote's.

    A 401 is believed in any form: web servers send it with a page. From 500 on the status says it.
    """
    is_believed = answer.status == 401 or (answer.status >= 500 and answer.status != 501)
    return call.expects_json and not is_believed
