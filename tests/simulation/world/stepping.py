"""Places where the world steps in: before and after each call through a port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Crash(BaseException):
    """The worker process dies here."""


class Stepping:
    """A port whose every call is a place for the world to step in.

    ``note``: told of each call that has worked.
    """

    def __init__(
        self,
        target: Any,
        step: Callable[[str], None],
        name: str,
        note: Callable[[str, tuple[Any, ...]], None] = lambda attribute, args: None,
    ) -> None:
        self._target, self._step, self._name, self._note = target, step, name, note

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._target, attribute)
        if not callable(value):
            return value

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._step(f"before {self._name}.{attribute}")
            result = value(*args, **kwargs)
            self._note(attribute, args)
            self._step(f"after {self._name}.{attribute}")
            return result

        return stepped
