"""Access tokens of a Wix app, one for each instance.

OAuth client credentials: https://dev.wix.com/docs/rest/api-reference/authorization/oauth-2/create-access-token
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sync_worker.adapters.http import Call, RemoteHttp
from sync_worker.errors import Permanent

EARLY_SECONDS = 120.0  # refresh while the old token still works
REFRESH_SECONDS = 10


class Tokens(Protocol):
    """The fleet's token cache."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, token: str, seconds: int) -> None: ...

    def drop(self, name: str) -> None: ...

    def claim(self, name: str, seconds: int) -> bool: ...


class WixAuthorization:
    """Implements adapters.http.Authorization for one instance. ``http`` calls the token endpoint, without a budget.

    The header holds the bare token, without ``Bearer``: so does Wix's own SDK.
    """

    def __init__(
        self,
        http: RemoteHttp,
        tokens: Tokens,
        *,
        app_id: str,
        app_secret: str,
        instance_id: str,
        token_path: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._tokens, self._clock = http, tokens, clock
        self._request = {
            "grant_type": "client_credentials",
            "client_id": app_id,
            "client_secret": app_secret,
            "instance_id": instance_id,
        }
        self._name = instance_id
        self._path = token_path
        self._token = ""
        self._good_until = 0.0
        self._turn = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": self._current()}

    def refresh(self) -> bool:
        """Forget the token. Once in a few seconds only: a 401 may also mean that a permission is missing."""
        with self._turn:
            self._token, self._good_until = "", 0.0
            if not self._tokens.claim(f"401:{self._name}", REFRESH_SECONDS):
                return True  # somebody else dropped it just now: the cache holds a new one
            self._tokens.drop(self._name)
        return True

    def _current(self) -> str:
        if self._token and self._clock() < self._good_until:
            return self._token
        with self._turn:
            if self._token and self._clock() < self._good_until:
                return self._token
            return self._shared() or self._fetch()

    def _shared(self) -> str | None:
        """The fleet's token; it leaves the cache early, so that one worker fetches the next in time."""
        token = self._tokens.get(self._name)
        if token:
            self._token, self._good_until = token, self._clock() + EARLY_SECONDS / 4
        return token

    def _fetch(self) -> str:
        if self._token and not self._tokens.claim(self._name, REFRESH_SECONDS):
            self._good_until = self._clock() + 5.0  # another worker is fetching; ours still works
            return self._token
        answer = self._http.call(Call("POST", self._path, "create_token", json=self._request, is_idempotent=True))
        token, seconds = _token_of(answer.body)
        lifetime = max(1.0, seconds - EARLY_SECONDS)
        self._token, self._good_until = token, self._clock() + min(lifetime, EARLY_SECONDS / 4)
        self._tokens.put(self._name, token, int(lifetime))
        return token


def _token_of(body: Any) -> tuple[str, float]:
    if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
        raise Permanent("the token endpoint answered without a token", reason="unauthorized")
    seconds = body.get("expires_in")
    return body["access_token"], float(seconds) if isinstance(seconds, int) else 14_400.0
