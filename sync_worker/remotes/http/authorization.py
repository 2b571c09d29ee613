"""How calls prove who we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import requests

from sync_worker.core.errors import Away

CHANGED_SECONDS = 1.0
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


@dataclass(frozen=True, slots=True)
class WhileCurrent:
    """Implements Authorization over another, as long as what it proves still counts.

    An account may be revoked or changed while work is in hand: its next call does not go out.
    """

    authorization: Authorization
    is_current: Callable[[], bool]

    def headers(self) -> Mapping[str, str]:
        """Raises Away: whoever works begins anew, with what counts now."""
        if not self.is_current():
            raise Away("the account has changed meanwhile", retry_after=CHANGED_SECONDS)
        return self.authorization.headers()

    def refresh(self) -> bool:
        return self.authorization.refresh()
