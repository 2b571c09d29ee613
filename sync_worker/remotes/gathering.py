"""What threads ask of Wix at the same time goes out in one call: for files and baselines.

Each thread works on one rating as it would alone, with its own lease, intent, commit and history.
Only the calls that a remote takes for many wait for one another: for the budget, for searches and
for creates. When all threads that still work wait, one of them makes the calls for all.

    lease, look …   ┐                ┌ intent ┐             ┌ commit, history, loop guard
    lease, look …   ┼ one request is ┼ intent ┼ one create  ┼ commit …
    lease, look …   ┘ reserved       └ intent ┘ of many     └ commit …
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, TypeVar, cast

from sync_worker.core.errors import Permanent, SyncError, Transient, UnknownOutcome
from sync_worker.core.ports.remote import BulkCreate, Connection, Remote
from sync_worker.core.values import Draft, EntityRef, Person, Record, Side
from sync_worker.remotes.few_at_once import FewAtOnce

# With the call's own deadline of 8 s it stays within a lease, which is renewed with the intent.
PATIENCE_SECONDS = 5.0
# For the request, before any intent: what a lease has left after a look at the other side.
PATIENCE_BEFORE_INTENTS_SECONDS = 9.0
# Calls of the other side at a time: as many as webhooks may have there.
AT_ONCE = 8

T = TypeVar("T")


class LeftForNextCall(Transient):
    """A create came too late for the call of many; it was not sent, and waits for the next one."""

    is_failure = False


@dataclass(frozen=True, slots=True)
class Keep:
    """How long threads wait for one another, in seconds, and what they keep to.

    ``patience_before``: for a request, before any intent. ``is_one_call``: creates go out together
    or not at all: what comes after the first call of them, or alone of many threads, is
    ``LeftForNextCall``.
    """

    patience: float = PATIENCE_SECONDS
    patience_before: float = PATIENCE_BEFORE_INTENTS_SECONDS
    is_one_call: bool = False


class What(Enum):
    """What a thread waits for."""

    RESERVE = auto()
    FIND = auto()
    CREATE = auto()


@dataclass(slots=True, eq=False)
class Ask:
    """What one thread asks for; ``answer``: what it got, or the error to raise."""

    what: What
    of: Any = None
    answer: Any = None
    has_answer: bool = False  # of a request that was reserved it is None
    is_taken: bool = False
    is_answered: bool = False

    def give(self, answer: Any) -> None:
        self.answer, self.has_answer = answer, True

    def result(self) -> Any:
        if isinstance(self.answer, SyncError):
            # Each thread gets an error of its own.
            raise copy.copy(self.answer)
        return self.answer


class Gathering:
    """A remote with ``bulk_create`` for ``count`` threads; each tells when it is done (``leave``).

    What is not gathered goes to the remote itself. ``made``: what was created, by what and whom it
    is of.
    """

    def __init__(self, remote: Remote, count: int, keep: Keep = Keep()) -> None:
        self._remote, self._keep, self._count = remote, keep, count
        self._turn, self._working = threading.Condition(), count
        self._waiting: list[Ask] = []
        self._has_created = False
        self.made: dict[tuple[EntityRef, str | None], Record] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    def reserve_request(self) -> None:
        self._ask(Ask(What.RESERVE))

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        return cast(Sequence[Record], self._ask(Ask(What.FIND, (entity, person))))

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        record = cast(Record, self._ask(Ask(What.CREATE, (draft, idempotency_key))))
        self.made[draft.entity, draft.person.contact_id] = record
        return record

    def leave(self) -> None:
        """One thread has nothing more to ask."""
        with self._turn:
            self._working -= 1
            self._turn.notify_all()

    # -- waiting for one another

    def _ask(self, ask: Ask) -> Any:
        batch = self._wait_for(ask)
        if batch:
            try:
                self._answer(batch)
            finally:
                with self._turn:
                    for one in batch:
                        one.is_answered = True
                    self._turn.notify_all()
        return ask.result()

    def _wait_for(self, ask: Ask) -> list[Ask]:
        """Wait until it is answered, or until this thread has to answer all that wait."""
        patience = self._keep.patience
        if ask.what is What.RESERVE:
            patience = self._keep.patience_before
        until = time.monotonic() + patience
        with self._turn:
            self._waiting.append(ask)
            while not ask.is_answered:
                if not ask.is_taken and self._is_time(until):
                    return self._take_all()
                # Whoever has taken it answers it, or fails with it.
                seconds = None
                if not ask.is_taken:
                    seconds = max(0.0, until - time.monotonic())
                self._turn.wait(seconds)
        return []

    def _is_time(self, until: float) -> bool:
        return len(self._waiting) >= self._working or time.monotonic() >= until

    def _take_all(self) -> list[Ask]:
        taken, self._waiting = self._waiting, []
        for one in taken:
            one.is_taken = True
        return taken

    # -- one call for all

    def _answer(self, batch: Sequence[Ask]) -> None:
        answers = {
            What.RESERVE: self._reserve,
            What.FIND: self._find,
            What.CREATE: self._create,
        }
        for what, answer in answers.items():
            asks = [ask for ask in batch if ask.what is what]
            if not asks:
                continue
            try:
                answer(asks)
            except SyncError as error:
                _give_the_rest(asks, error)
            except BaseException as error:
                # Unforeseen, or stopped: no thread may wait for ever, nor believe a success.
                _give_the_rest(asks, UnknownOutcome(f"unexpected: {type(error).__name__}"))
                _give_the_rest(batch, Transient("not sent"))
                raise

    def _reserve(self, asks: Sequence[Ask]) -> None:
        self._remote.reserve_request()
        for ask in asks:
            ask.give(None)

    def _find(self, asks: Sequence[Ask]) -> None:
        for ask, found in zip(asks, self._found([ask.of for ask in asks]), strict=True):
            ask.give(found)

    def _found(self, whose: Sequence[tuple[EntityRef, Person]]) -> Sequence[Sequence[Record]]:
        if len(whose) == 1:
            return [self._remote.find(*whose[0])]
        return self._bulk.find_many(whose)

    def _create(self, asks: Sequence[Ask]) -> None:
        if self._keep.is_one_call and self._is_for_next_call(len(asks)):
            _give_the_rest(asks, LeftForNextCall("it goes out with the next ones"))
            return
        self._has_created = True
        if len(asks) == 1:
            asks[0].give(self._remote.create(*asks[0].of))
            return
        most = self._remote.capabilities.bulk_create
        for start in range(0, len(asks), most):
            self._create_some(asks[start : start + most])

    def _is_for_next_call(self, asked: int) -> bool:
        is_alone_of_many = asked == 1 and self._count > 1
        return self._has_created or is_alone_of_many

    def _create_some(self, asks: Sequence[Ask]) -> None:
        try:
            outcomes = self._bulk.create_many([ask.of[0] for ask in asks])
        except UnknownOutcome as unknown:
            outcomes = [unknown] * len(asks)
        except Permanent as refusal:
            # One of them may be to blame, and none was made.
            outcomes = [refusal] * len(asks)
        for ask, outcome in zip(asks, outcomes, strict=True):
            answer = _by_itself(outcome) if isinstance(outcome, Permanent) else outcome
            ask.give(answer)
        self._settle([ask for ask in asks if isinstance(ask.answer, UnknownOutcome)])

    def _settle(self, asks: Sequence[Ask]) -> None:
        """Look once for all of whose creates nobody knows what became of them.

        What does not show keeps its open intent, which the next run of its link settles.
        """
        if not asks:
            return
        try:
            found = self._found([(ask.of[0].entity, ask.of[0].person) for ask in asks])
        except SyncError:
            return
        for ask, records in zip(asks, found, strict=True):
            for record in records:
                if _is_made_from(record, ask.of[0]):
                    ask.give(record)

    @property
    def _bulk(self) -> BulkCreate:
        return cast(BulkCreate, self._remote)


def _give_the_rest(asks: Sequence[Ask], error: SyncError) -> None:
    for ask in asks:
        if not ask.has_answer:
            ask.give(error)


def _by_itself(refusal: Permanent) -> SyncError:
    """Refused among many: alone it is told by the state what it is refused for."""
    return Transient("refused among many: it is sent by itself", facts=refusal.facts)


def _is_made_from(record: Record, draft: Draft) -> bool:
    """Whether a record is what a create of this draft makes, and unchanged since."""
    words = draft.words_to_write
    return (
        record.revision == 1
        and record.is_ours is not False
        and all(record.values.get(name) == value for name, value in draft.values.items())
        and all(record.words.get(name, "") == text for name, text in words.items())
    )


# -- threads that work together


@dataclass(slots=True)
class Gathered:
    """What came of jobs that were done together: ``results`` in order, and what they created."""

    results: list[Any]
    made: dict[tuple[EntityRef, str | None], Record] = field(default_factory=dict)


def together(
    connection: Connection,
    jobs: Sequence[Callable[[Connection], T]],
    side: Side = Side.WIX,
    keep: Keep = Keep(),
) -> Gathered:
    """Do jobs, a thread each, over a connection that gathers what they ask of one side."""
    gathering = Gathering(connection.remotes[side], len(jobs), keep)
    few = FewAtOnce(connection.remotes[side.other], AT_ONCE)
    remotes = {side: cast(Remote, gathering), side.other: cast(Remote, few)}
    over = replace(connection, remotes=remotes)

    def work(job: Callable[[Connection], T]) -> T:
        try:
            return job(over)
        finally:
            few.leave()
            gathering.leave()

    pool = ThreadPoolExecutor(len(jobs), thread_name_prefix="together")
    try:
        results = list(pool.map(work, jobs))
    except BaseException:
        # Whoever stops us ends the waits of these threads, and must not wait for them first.
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return Gathered(results, gathering.made)


def results_together(connection: Connection, jobs: Sequence[Callable[[Connection], T]]) -> list[T]:
    """As ``together``: the results alone."""
    return together(connection, jobs).results
