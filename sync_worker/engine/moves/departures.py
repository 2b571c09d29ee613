"""Where the records of a link belong of which a run has found that out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sync_worker.core.values import Buried, RatingKey


@dataclass(frozen=True, slots=True)
class Departure:
    """A record that goes. ``key``: where to; ``None``: by policy it crosses to nobody.

    ``before``: news that is no newer is of the time before, and must not bring it back.
    """

    key: RatingKey | None
    before: Buried | None


@dataclass(slots=True)
class Departures:
    """Records by id.

    ``own``: those that stay. ``waiting``: those that go, and are still to be let go; ``left``: ids
    of those that were; ``left_count``: how often one was. ``passed_on``: the deliveries that tell
    of them, and where they belong.
    """

    own: set[str] = field(default_factory=set)
    waiting: dict[str, Departure] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    left_count: int = 0
    passed_on: dict[int, RatingKey] = field(default_factory=dict)

    def go(self, remote_id: str, key: RatingKey | None, before: Buried | None) -> None:
        self.waiting[remote_id] = Departure(key, before)

    def stays(self, remote_id: str) -> bool | None:
        """``None``: not found out yet."""
        if remote_id in self.waiting or remote_id in self.left:
            return False
        return True if remote_id in self.own else None

    def let_go(self, inbox_ids: Sequence[int]) -> None:
        """They are none of this link's any more; ``inbox_ids``: of what tells of them, in order."""
        keys = [one.key for one in self.waiting.values() if one.key is not None]
        self.passed_on |= dict(zip(inbox_ids, keys, strict=True))
        self.left |= self.waiting.keys()
        self.left_count += len(self.waiting)
        self.waiting.clear()
