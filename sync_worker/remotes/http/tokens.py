"""Access tokens that expire: one for the whole fleet, fetched early and by one worker at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sync_worker.core.errors import Permanent, Unauthorized

MAX_TOKEN_SECONDS = 366 * 86_400  # a longer life is a mistake of the endpoint's
EARLY_SECONDS = 120.0  # refresh while the old token still works
# A worker that dies while it fetches keeps the others waiting no longer than this.
REFRESH_SECONDS = 10


class Tokens(Protocol):
    """The fleet's token cache."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, token: str, seconds: int) -> None: ...

    def drop(self, name: str) -> None: ...

    def claim(self, name: str, seconds: int) -> bool: ...


class OwnTokens:
    """Implements Tokens for one process that shares with nobody: a command, a test."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self._tokens.get(name)

    def put(self, name: str, token: str, seconds: int) -> None:
        self._tokens[name] = token

    def drop(self, name: str) -> None:
        self._tokens.pop(name, None)

    def claim(self, name: str, seconds: int) -> bool:
        return True


class TokenAuthorization:
    """Implements ``Authorization`` with a token that is fetched when it is needed.

    ``fetch`` asks the token endpoint and returns its answer. ``prefix``: what stands before the
    token in the header. ``name``: the token's name in the fleet's cache.
    """

    def __init__(
        self,
        fetch: Callable[[], Any],
        tokens: Tokens,
        name: str,
        *,
        prefix: str = "Bearer ",
        default_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._tokens, self._name, self._clock = fetch, tokens, name, clock
        self._prefix, self._default_seconds = prefix, default_seconds
        self._token = ""
        self._good_until = 0.0
        self._sent = threading.local()  # the token that this thread has sent last
        self._turn = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        self._sent.token = self._current()
        return {"Authorization": self._prefix + self._sent.token}

    def refresh(self) -> bool:
        """Forget the token that this thread has sent; a newer one, of whomever, is kept."""
        refused = getattr(self._sent, "token", "")
        with self._turn:
            # Another thread of this process has a newer one already.
            if self._token != refused:
                return True
            self._token, self._good_until = "", 0.0
            # The cache may hold a newer one of another worker.
            if self._tokens.get(self._name) == refused:
                self._tokens.drop(self._name)
        return True

    def _current(self) -> str:
        if self._token and self._clock() < self._good_until:
            return self._token
        with self._turn:
            # Another thread has fetched it while this thread waited.
            if self._token and self._clock() < self._good_until:
                return self._token
            return self._shared() or self._fetch()

    def _shared(self) -> str | None:
        """The fleet's token.

        It leaves the cache early, so that one worker fetches the next in time.
        """
        token = self._tokens.get(self._name)
        if token:
            # For 30 s only: then the cache is asked again, since another worker may have fetched a
            # new token.
            self._token, self._good_until = token, self._clock() + EARLY_SECONDS / 4
        return token

    def _fetch(self) -> str:
        # Without a token of its own this process has nothing to wait with: it fetches in any case.
        if self._token and not self._tokens.claim(self._name, REFRESH_SECONDS):
            self._good_until = self._clock() + 5.0  # another worker is fetching; ours still works
            return self._token
        token, seconds = _token_of(self._answer(), self._default_seconds)
        lifetime = max(1.0, seconds - EARLY_SECONDS)
        self._token, self._good_until = token, self._clock() + min(lifetime, EARLY_SECONDS / 4)
        self._tokens.put(self._name, token, int(lifetime))
        return token

    def _answer(self) -> Any:
        """What the token endpoint answers. Its refusal is the account's: no call gets further."""
        try:
            return self._ask()
        except Permanent as refusal:
            if refusal.reason not in ("refused", "unauthorized"):
                raise
            raise Unauthorized(
                "the token endpoint does not accept our credentials",
                is_of_account=True,
                facts=refusal.facts,
            ) from refusal


def _token_of(body: Any, default_seconds: float) -> tuple[str, float]:
    if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
        raise Unauthorized("the token endpoint answered without a token", is_of_account=True)
    seconds = body.get("expires_in")
    if not isinstance(seconds, int) or not 0 < seconds <= MAX_TOKEN_SECONDS:
        seconds = default_seconds
    return body["access_token"], float(seconds)
