"""Calls of many threads as one: who waits for whom, and what becomes of each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

import pytest

from sync_worker.core.errors import (
    Duplicate,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Capabilities, Connection, Remote
from sync_worker.core.values import Draft, EntityRef, Person, Record, Side
from sync_worker.remotes.few_at_once import FewAtOnce
from sync_worker.remotes.gathering import (
    PATIENCE_SECONDS,
    Gathering,
    Keep,
    LeftForNextCall,
    together,
)

MUG = EntityRef("mug", namespace="stores")


def a_draft(number: int) -> Draft:
    person = Person(contact_id=f"contact-{number}")
    return Draft({"overall": Decimal(1 + number % 5)}, MUG, person, words={"body": "x"})


def made_from(draft: Draft, **changes: Any) -> Record:
    contact_id = draft.person.contact_id
    record = Record(f"r-{contact_id}", draft.values, 1, entity=draft.entity, person=draft.person)
    return replace(record, words=draft.words, is_ours=True, **changes)


@dataclass
class Reviews:
    """A remote that takes many; ``fails``: what is raised instead of an answer, once each."""

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(bulk_create=100))
    calls: list[tuple[str, int]] = field(default_factory=list)
    fails: dict[str, list[BaseException]] = field(default_factory=dict)
    there: dict[str, Record] = field(default_factory=dict)
    outcome_of: Callable[[Draft], Record | SyncError] = made_from

    def _called(self, name: str, count: int) -> None:
        self.calls.append((name, count))
        if self.fails.get(name):
            raise self.fails[name].pop()

    def reserve_request(self) -> None:
        self._called("reserve", 1)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        self._called("create", 1)
        return made_from(draft)

    def create_many(self, drafts: Sequence[Draft]) -> Sequence[Record | SyncError]:
        self._called("create_many", len(drafts))
        return [self.outcome_of(draft) for draft in drafts]

    def find_many(self, whose: Sequence[tuple[EntityRef, Person]]) -> Sequence[Sequence[Record]]:
        self._called("find_many", len(whose))
        found = [self.there.get(person.contact_id or "") for _, person in whose]
        return [[] if record is None else [record] for record in found]

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        self._called("find", 1)
        return []


def over(reviews: Reviews, other: Any = None) -> Connection:
    remotes = {Side.WIX: cast(Remote, reviews), Side.EXTERNAL: cast(Remote, other or Reviews())}
    return Connection(remotes, cast(People, None))


def creates(number: int, *, reserves: bool = True) -> Callable[[Connection], Any]:
    def job(connection: Connection) -> Any:
        wix = connection.remotes[Side.WIX]
        try:
            if reserves:
                wix.reserve_request()
            return wix.create(a_draft(number), f"intent-{number}")
        except SyncError as error:
            return error

    return job


def test_creates_of_all_threads_are_one_call_for_one_request() -> None:
    reviews = Reviews()
    gathered = together(over(reviews), [creates(number) for number in range(30)])
    assert reviews.calls == [("reserve", 1), ("create_many", 30)]
    assert [one.remote_id for one in gathered.results] == [f"r-contact-{n}" for n in range(30)]
    assert len(gathered.made) == 30


def test_no_call_has_more_than_the_remote_takes() -> None:
    reviews = Reviews(Capabilities(bulk_create=10))
    together(over(reviews), [creates(number, reserves=False) for number in range(25)])
    assert reviews.calls == [("create_many", 10), ("create_many", 10), ("create_many", 5)]


def test_one_that_has_nothing_to_create_keeps_nobody_waiting() -> None:
    reviews = Reviews()
    started = time.monotonic()
    jobs = [*(creates(number) for number in range(3)), lambda connection: None]
    together(over(reviews), jobs)
    assert reviews.calls == [("reserve", 1), ("create_many", 3)]
    assert time.monotonic() - started < PATIENCE_SECONDS


def test_single_create_is_sent_as_such() -> None:
    reviews = Reviews()
    together(over(reviews), [creates(0), lambda connection: None])
    assert reviews.calls == [("reserve", 1), ("create", 1)]


def test_late_create_is_left_for_the_next_call() -> None:
    """Where there is a next one: nothing of it is sent, and who asked is told so."""
    reviews, late = Reviews(), threading.Event()

    def comes_late(connection: Connection) -> Any:
        late.wait(10)
        return creates(2)(connection)

    def lets_it_come(number: int) -> Callable[[Connection], Any]:
        def job(connection: Connection) -> Any:
            made = creates(number, reserves=False)(connection)
            late.set()
            return made

        return job

    jobs = [lets_it_come(0), lets_it_come(1), comes_late]
    gathered = together(over(reviews), jobs, keep=Keep(is_one_call=True, patience=0.2))
    assert [type(one) for one in gathered.results] == [Record, Record, LeftForNextCall]
    assert ("create", 1) not in reviews.calls
    assert ("create_many", 2) in reviews.calls


def test_only_create_of_many_threads_is_left_for_the_next_call() -> None:
    reviews = Reviews()
    jobs = [creates(0, reserves=False), lambda connection: None]
    gathered = together(over(reviews), jobs, keep=Keep(is_one_call=True))
    assert isinstance(gathered.results[0], LeftForNextCall)
    assert reviews.calls == []
    # One that is alone from the beginning has nobody to wait for.
    gathered = together(over(reviews), jobs[:1], keep=Keep(is_one_call=True))
    assert isinstance(gathered.results[0], Record)


def test_slow_thread_is_not_waited_for_beyond_the_patience() -> None:
    reviews = Reviews()
    gathering = Gathering(cast(Remote, reviews), 2, Keep(patience=0.05))
    assert gathering.create(a_draft(0), "i").remote_id == "r-contact-0"
    assert reviews.calls == [("create", 1)]


def test_refused_budget_reaches_everybody_before_any_create() -> None:
    reviews = Reviews(fails={"reserve": [RateLimited(retry_after=1.0)]})
    gathered = together(over(reviews), [creates(number) for number in range(5)])
    assert [type(one) for one in gathered.results] == [RateLimited] * 5
    # Each has an error of its own: threads raise them at the same time.
    assert len({id(one) for one in gathered.results}) == 5
    assert reviews.calls == [("reserve", 1)]


def test_lost_answer_is_looked_for_once() -> None:
    """What shows was made; of the others nobody knows, and their intents stay open."""
    shown = {f"contact-{n}": made_from(a_draft(n)) for n in range(3)}
    # Somebody else's, or edited since: nothing tells that ours is among it.
    shown["contact-3"] = replace(made_from(a_draft(3)), is_ours=False)
    shown["contact-4"] = replace(made_from(a_draft(4)), revision=2)
    shown["contact-5"] = replace(made_from(a_draft(5)), words={"body": "y"})
    reviews = Reviews(fails={"create_many": [UnknownOutcome("no answer")]}, there=shown)
    gathered = together(over(reviews), [creates(n, reserves=False) for n in range(8)])
    assert reviews.calls == [("create_many", 8), ("find_many", 8)]
    kinds = [type(one) for one in gathered.results]
    assert kinds == [Record] * 3 + [UnknownOutcome] * 5


def test_look_that_fails_leaves_the_outcome_unknown() -> None:
    fails: dict[str, list[BaseException]] = {
        "create_many": [UnknownOutcome("no answer")],
        "find_many": [Permanent("no", reason="unauthorized")],
    }
    gathered = together(over(Reviews(fails=fails)), [creates(n) for n in range(3)])
    assert [type(one) for one in gathered.results] == [UnknownOutcome] * 3


def test_refusal_among_many_is_no_refusal_of_one() -> None:
    """Alone it is asked why; a duplicate is told as it is."""

    def outcome_of(draft: Draft) -> Record | SyncError:
        by_contact: dict[str | None, SyncError] = {
            "contact-1": Permanent("no"),
            "contact-2": Duplicate(),
        }
        return by_contact.get(draft.person.contact_id) or made_from(draft)

    gathered = together(over(Reviews(outcome_of=outcome_of)), [creates(n) for n in range(3)])
    assert [type(one) for one in gathered.results] == [Record, Transient, Duplicate]
    refused: list[BaseException] = [Permanent("one of them is too long")]
    gathered = together(
        over(Reviews(fails={"create_many": refused})), [creates(n) for n in range(3)]
    )
    assert [type(one) for one in gathered.results] == [Transient] * 3


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_unforeseen_error_leaves_nobody_waiting(error: type[BaseException]) -> None:
    def outcome_of(draft: Draft) -> Record | SyncError:
        raise error

    ends: list[str] = []

    def noting(job: Callable[[Connection], Any]) -> Callable[[Connection], Any]:
        def noted(connection: Connection) -> None:
            try:
                ends.append(type(job(connection)).__name__)
            except (ZeroDivisionError, KeyboardInterrupt):
                ends.append("raised")

        return noted

    together(over(Reviews(outcome_of=outcome_of)), [noting(creates(n)) for n in range(4)])
    assert sorted(ends) == ["UnknownOutcome"] * 3 + ["raised"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("first", ["reserve", "find"])
def test_create_that_was_not_reached_is_no_success(first: str, error: type[BaseException]) -> None:
    """It waits beside another's ask of an earlier kind, which fails unforeseen or is stopped."""
    reviews = Reviews(fails={first: [error()]})
    gathering = Gathering(cast(Remote, reviews), 2)
    asks: dict[str, Callable[[], Any]] = {
        "create": lambda: gathering.create(a_draft(0), "intent-0"),
        "reserve": gathering.reserve_request,
        "find": lambda: gathering.find(MUG, Person(contact_id="contact-1")),
    }
    ends: dict[str, list[BaseException]] = {"create": [], first: []}

    def work(name: str) -> None:
        try:
            asks[name]()
        except BaseException as raised:
            ends[name].append(raised)
        finally:
            gathering.leave()

    threads = [threading.Thread(target=work, args=(name,)) for name in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert reviews.calls == [(first, 1)]
    assert gathering.made == {}
    # Whoever made the calls for all goes on with the error itself; a create is not sent, for sure.
    assert [type(one) for one in ends["create"]] in ([Transient], [error])
    assert [type(one) for one in ends[first]] in ([UnknownOutcome], [error])


def test_what_was_made_before_a_refusal_stays_made() -> None:
    """Wix has no budget left for the second call of three."""

    def outcome_of(draft: Draft) -> Record | SyncError:
        reviews.fails["create_many"] = [RateLimited(retry_after=1.0)]
        return made_from(draft)

    reviews = Reviews(Capabilities(bulk_create=2), outcome_of=outcome_of)
    gathered = together(over(reviews), [creates(n, reserves=False) for n in range(6)])
    assert Counter(type(one) for one in gathered.results) == {Record: 2, RateLimited: 4}
    assert reviews.calls == [("create_many", 2), ("create_many", 2)]
    assert len(gathered.made) == 2


@dataclass
class Busy:
    """Counts who is inside at a time."""

    inside: int = 0
    most: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def reserve_request(self) -> None:
        return

    def get(self, remote_id: str) -> None:
        with self.turn:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.005)
        with self.turn:
            self.inside -= 1


def test_other_side_is_asked_by_few_at_a_time() -> None:
    busy = Busy()
    few = FewAtOnce(cast(Remote, busy), 3)

    def ask(reserves: bool) -> None:
        for _ in range(3):
            if reserves:
                few.reserve_request()
            few.get("r-1")
        # Reserved, and not used: the place is free again as its thread ends.
        few.reserve_request()
        few.leave()

    threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert busy.most <= 3
