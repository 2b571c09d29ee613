"""Access tokens of a Wix app, one for each instance.

OAuth client credentials:
https://dev.wix.com/docs/rest/api-reference/authorization/oauth-2/create-access-token
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.tokens import TokenAuthorization, Tokens

# Four hours, as Wix documents it; used where an answer has no `expires_in`.
WIX_TOKEN_SECONDS = 14_400.0


class WixAuthorization(TokenAuthorization):
    """Implements ``Authorization`` for one instance.

    ``http`` calls the token endpoint, without a budget. The header holds the bare token, without
    ``Bearer``: so does Wix's own SDK.
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
        request = {
            "grant_type": "client_credentials",
            "client_id": app_id,
            "client_secret": app_secret,
            "instance_id": instance_id,
        }
        call = Call("POST", token_path, "create_token", json=request, is_idempotent=True)
        super().__init__(
            lambda: http.call(call).body,
            tokens,
            instance_id,
            prefix="",
            default_seconds=WIX_TOKEN_SECONDS,
            clock=clock,
        )
