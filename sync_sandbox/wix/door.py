"""One address for all instances of one app, as Wix has one for all sites of all apps."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sync_worker.core import exact_json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNKNOWN = b'{"error": "unknown site"}'
_TOKEN = "OauthNG."  # noqa: S105 - how tokens begin; the number of the site follows
_INSTANCE = "11111111-0000-4000-8000-{:012}"


def instance_id_of(number: int) -> str:
    """Of the instance on the site of this number."""
    return _INSTANCE.format(number)


def token_prefix_of(number: int) -> str:
    """How the tokens of that instance begin."""
    return f"{_TOKEN}{number}."


class WixDoor:
    """Whose call it is says its token, and the body of the call that asks for one.

    ``app_of``: the API of the instance of a number, a word of digits or not; ``None``: unknown.
    """

    def __init__(self, app_of: Callable[[str], WSGIApplication | None]) -> None:
        self._app_of = app_of

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        app = self._app_of(_number_of(environ))
        if app is None:
            start("401 Unauthorized", [("Content-Length", str(len(UNKNOWN)))])
            return [UNKNOWN]
        return app(environ, start)


def _number_of(environ: WSGIEnvironment) -> str:
    if environ["PATH_INFO"] == "/oauth2/token":
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        instance_id = str(exact_json.loads(body).get("instance_id", ""))
        return instance_id.rpartition("-")[2].lstrip("0") or "0"
    token = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ").strip()
    return token.removeprefix(_TOKEN).partition(".")[0]
