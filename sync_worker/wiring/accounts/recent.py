"""A bounded memory: what was not used for longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most ``most`` values, by key. Shared by threads.

    ``let_go`` is told of each value that leaves, after it has left.
    """

    def __init__(self, most: int, let_go: Callable[[Value], None] = lambda value: None) -> None:
        self._most, self._let_go = most, let_go
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """The value, which counts as used now."""
        with self._turn:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        with self._turn:
            gone = [before] if (before := self._values.pop(key, None)) is not None else []
            self._values[key] = value
            while len(self._values) > self._most:
                gone.append(self._values.popitem(last=False)[1])
        self._tell(gone)

    def drop(self, key: Key) -> None:
        with self._turn:
            gone = [before] if (before := self._values.pop(key, None)) is not None else []
        self._tell(gone)

    def clear(self) -> None:
        with self._turn:
            gone = list(self._values.values())
            self._values.clear()
        self._tell(gone)

    def _tell(self, gone: list[Value]) -> None:
        for value in gone:
            self._let_go(value)

    def __len__(self) -> int:
        return len(self._values)
