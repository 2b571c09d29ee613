"""The cookie: a secret of the browser, by which its session is found. Flask's own stores nothing.

Before a login the secret stands for nobody; its form's token is bound to it nevertheless.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Flask, Request, Response, g, request
from flask.sessions import SessionInterface, SessionMixin

from sync_console.settings import ConsoleConfig
from sync_console.web.parts import parts
from sync_worker.services.access.secrets import new_secret
from sync_worker.services.access.sessions import Session

OWNER_HEADER = "X-Console-Session"
OWNER_FIELD = "console_session"
MAX_LENGTH = 128  # of what claims to be a secret


class BrowserSession(dict[str, str], SessionMixin):
    """What Flask-WTF looks for a form's token in; nothing else is kept here."""


class BrowserSecrets(SessionInterface):
    """Takes the secret from the request, and makes one where there is none."""

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config

    @property
    def cookie(self) -> str:
        return "__Host-ratings-console" if self._config.is_secure else "ratings-console"

    @property
    def owner_cookie(self) -> str:
        return "__Host-ratings-owner" if self._config.is_secure else "ratings-owner"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        g.session, g.new_cookie = None, False
        g.secret = self._secret_of(request)
        if not g.secret:
            g.secret, g.new_cookie = new_secret(), True
        return BrowserSession(csrf_token=form_secret(g.secret))

    def _secret_of(self, request: Request) -> str:
        """An owner's comes as a cookie of its own, or where frames have none in a header or field.

        An operator's comes as a cookie only.
        """
        g.owner_secret = (
            request.headers.get(OWNER_HEADER, "")
            or request.form.get(OWNER_FIELD, "")
            or request.cookies.get(self.owner_cookie, "")
        )[:MAX_LENGTH]
        own = request.cookies.get(self.cookie, "")[:MAX_LENGTH]
        return own or g.owner_secret

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if g.get("new_cookie") and g.get("csrf_token"):
            self.set_cookie(response, g.secret)

    def set_cookie(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.cookie, secret, secure=self._config.is_secure, httponly=True, samesite="Strict"
        )

    def set_owner_cookie(self, response: Response, secret: str) -> None:
        """In a frame of Wix: third-party, so partitioned (CHIPS).

        https://developer.mozilla.org/en-US/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
        """
        if self._config.is_secure:
            response.set_cookie(
                self.owner_cookie,
                secret,
                secure=True,
                httponly=True,
                samesite="None",
                partitioned=True,
            )
            return
        response.set_cookie(self.owner_cookie, secret, httponly=True, samesite="Strict")

    def drop_cookies(self, response: Response) -> None:
        for name in (self.cookie, self.owner_cookie):
            response.delete_cookie(
                name, secure=self._config.is_secure, httponly=True, samesite="Strict"
            )


def form_secret(secret: str) -> str:
    """What the tokens of a browser's forms are held against: known to who holds its secret."""
    return hmac.new(secret.encode("utf-8", "replace"), b"forms", hashlib.sha256).hexdigest()


def find_session() -> None:
    """Before each request: whose it is."""
    if request.endpoint == "static":
        return
    found = _counting(g.secret)
    if found is not None:
        g.session, g.who = found, found.who


def _counting(secret: str) -> Session | None:
    if g.new_cookie:
        return None
    return parts().access.sessions.find(secret)


def init_app(app: Flask, config: ConsoleConfig) -> BrowserSecrets:
    secrets = BrowserSecrets(config)
    app.session_interface = secrets
    app.before_request(find_session)
    return secrets
