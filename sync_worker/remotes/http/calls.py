"""What is asked of a remote, and what it answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from sync_worker.core.errors import SyncError

UNSET: Any = object()


class Content(Enum):
    """What the body of an answer is."""

    JSON = auto()
    EMPTY = auto()
    # neither: a page of a proxy, a warning before the JSON
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a request went and how it said who we are: what no message may repeat."""

    url: str = ""
    proof: Mapping[str, str] = field(default_factory=dict)


NOTHING_SENT = Sent()


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is the parsed JSON, ``None`` if the answer was not JSON. ``sent``: the request."""

    status: int
    headers: Mapping[str, str]
    body: Any
    content: Content = Content.JSON
    sent: Sent = field(default=NOTHING_SENT, repr=False, compare=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``path`` under the base URL, or the whole address of a next page.

    ``outcomes`` may claim any answer: by the error for it, or by ``True`` for a success.
    ``successes``: the only statuses that are one (empty: every 2xx). ``expects_json``: an answer in
    another form is none of the remote's own.
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
    expects_json: bool = True
    outcomes: Callable[[Answer], SyncError | bool | None] = lambda answer: None

    def succeeded(self, answer: Answer) -> bool:
        """Whether the status of an answer is a success of this call."""
        if self.successes:
            return answer.status in self.successes
        return answer.is_success
