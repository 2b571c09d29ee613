"""How calls prove who we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import requests

Signer = Callable[[requests.PreparedRequest], None]


class Authorization(Protocol):
    """Headers that go with each call."""

    def headers(self) -> Mapping[str, str]: ...

    def refresh(self) -> bool:
        """The remote said 401: drop what we have. Returns whether trying once more makes sense."""


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """Implements Authorization with headers that never change."""

    values: Mapping[str, str]

    def headers(self) -> Mapping[str, str]:
        return self.values

    def refresh(self) -> bool:
        return False
