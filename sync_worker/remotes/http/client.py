"""One HTTP client for each remote: a total deadline, few careful retries, the request budget.

A write that may have reached the remote and has no clear answer is an UnknownOutcome; it is never
repeated blindly.
"""

from __future__ import annotations

import copy
import time
import warnings
from threading import local
from typing import Self

import structlog

from sync_worker.core.errors import Facts, Permanent, RateLimited, SyncError, Transient
from sync_worker.remotes.http.answers import AnswerReader
from sync_worker.remotes.http.authorization import Authorization
from sync_worker.remotes.http.budget import (
    AccountSlots,
    Budget,
    BudgetOfWebhooks,
    CallSlots,
    Wait,
    WaitingBudget,
)
from sync_worker.remotes.http.calls import Answer, Call
from sync_worker.remotes.http.connection import CallDeadline, deadline_of_call
from sync_worker.remotes.http.options import HttpOptions, Observers
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.http.retries import CallTries, TryAgain, tries
from sync_worker.remotes.http.transport import Transport

UNKNOWN_PAUSE_SECONDS = 5.0  # for a remote that says "too fast", but not for how long

log = structlog.get_logger(__name__)


class RemoteHttp:
    """Calls one remote. Thread-safe; ``close`` ends its connections.

    ``outage``: what the calls of all clients of this remote share; without one it is this client's
    own. ``slots``: those of the process; without them its lanes alone limit its calls.
    """

    def __init__(
        self,
        base_url: str,
        *,
        remote: str,
        authorization: Authorization,
        budget: Budget,
        options: HttpOptions | None = None,
        observers: Observers | None = None,
        outage: Outage | None = None,
        slots: AccountSlots | None = None,
    ) -> None:
        self._options, self._observers = options or HttpOptions(), observers or Observers()
        self._remote, self._authorization, self._budget = remote, authorization, budget
        # Of a call's first try; for its further ones there is no time to wait.
        self._entry: Budget = BudgetOfWebhooks(budget)
        # Three lanes of four may hang: the last quarter stays free for other calls.
        self._outage = outage or Outage(self._options.lanes * 3 // 4)
        self._reader = AnswerReader(remote, self._options.code_of, self._options.waits)
        slots = slots or AccountSlots(CallSlots(self._options.lanes))
        self._transport = Transport(base_url, self._options, self._reader, self._outage, slots)
        self._reserved = local()

    def close(self) -> None:
        self._transport.close()

    def waiting(self, wait: Wait | None) -> Self:
        """The same client for those who can wait for the budget; ``None``: it refuses them."""
        if wait is None:
            return self
        other = copy.copy(self)
        other._entry = WaitingBudget(self._budget, wait)
        return other

    def reserve_request(self) -> None:
        """Take the next call's token now; it belongs to this thread. Raises RateLimited, Away."""
        self._outage.check()
        self._entry.take()
        self._reserved.has_token = True

    def prepay(self) -> None:
        """The name of ``reserve_request`` for plugins written for an earlier release."""
        warnings.warn("RemoteHttp.prepay is now reserve_request", DeprecationWarning, stacklevel=2)
        self.reserve_request()

    def call(self, call: Call) -> Answer:
        """The answer to a call, or the error that says what to do next."""
        started = time.monotonic()
        try:
            # Before the deadline begins: who can wait for a token must not lose the call's time.
            self._pay()
            with deadline_of_call(
                self._options.deadline_seconds,
                allow_private_hosts=self._options.allow_private_hosts,
            ) as deadline:
                answer = self._with_retries(call, deadline)
        except SyncError as error:
            self._tell(call, started, _outcome(error))
            if call.is_write and isinstance(error, Permanent):
                self._tell_refusal(error.facts)
            raise
        self._tell(call, started, answer.status)
        return answer

    def _tell(self, call: Call, started: float, outcome: int | str) -> None:
        seconds = time.monotonic() - started
        self._observers.call(self._remote, call.operation, outcome, seconds)
        log.debug(
            "remote_call",
            remote=self._remote,
            operation=call.operation,
            outcome=outcome,
            ms=round(seconds * 1000),
        )

    def _tell_refusal(self, facts: Facts) -> None:
        """Why a write was refused: for whoever has to change something."""
        log.info(
            "write_refused",
            remote=self._remote,
            operation=facts.operation,
            status=facts.status,
            code=facts.code,
            said=facts.said,
            remote_request_id=facts.request_id,
        )

    def _with_retries(self, call: Call, deadline: CallDeadline) -> Answer:
        try:
            # The token of the first one was taken before the deadline began.
            return self._try(call, deadline)
        except TryAgain as failure:
            return self._again(call, deadline, failure)

    def _again(self, call: Call, deadline: CallDeadline, first: TryAgain) -> Answer:
        """The further tries, after the failure of the first one."""
        together = CallTries()
        try:
            for attempt in tries(self._options.waits.tries, deadline):
                with attempt:
                    try:
                        # Counted with the others: it says how long to wait, or that none follows.
                        if attempt.retry_state.attempt_number == 1:
                            raise first
                        self._budget.take()
                        return self._try(call, deadline)
                    except TryAgain as failure:
                        failure.error = together.verdict(failure.error)
                        raise
                    except SyncError as error:
                        raise together.verdict(error) from error
        except TryAgain as failure:
            raise failure.error from None
        raise AssertionError("tenacity ends with an answer or an error")

    def _try(self, call: Call, deadline: CallDeadline) -> Answer:
        answer = self._transport.send(call, self._authorization.headers(), deadline)
        # The token may have ended early: once more with a new token, as a request of its own.
        if answer.status == 401 and self._authorization.refresh():
            self._budget.take()
            answer = self._transport.send(call, self._authorization.headers(), deadline)
        failure = self._reader.failure_in(call, answer)
        if failure is None:
            return answer
        self._keep_wait(failure)
        raise failure

    def _pay(self) -> None:
        # reserve_request has taken the token already.
        if getattr(self._reserved, "has_token", False):
            self._reserved.has_token = False
        else:
            self._entry.take()

    def _keep_wait(self, failure: SyncError | TryAgain) -> None:
        """Tell what a refusal asks for; if we were too fast, let the whole fleet wait."""
        error = failure.error if isinstance(failure, TryAgain) else failure
        if not isinstance(error, Transient):
            return
        wait = error.retry_after
        if wait is not None:
            self._observers.wait(self._remote, wait)
        if isinstance(error, RateLimited):
            pause = UNKNOWN_PAUSE_SECONDS if wait is None else wait
            self._budget.penalise(pause)


def _outcome(error: SyncError) -> int | str:
    """The status, or the error's name where no answer came."""
    return type(error).__name__ if error.facts.status is None else error.facts.status
