"""The cookie: a secret of the browser, by which its session is found. Flask's own stores nothing.

Before a login the secret stands for nobody; its form's token is bound to it nevertheless.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Flask, Request, current_app, g, request, session
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.wrappers import Response

from sync_console.settings import ConsoleConfig
from sync_console.web.parts import parts
from sync_console.web.programs import is_program
from sync_worker.services.access.secrets import new_secret
from sync_worker.services.access.sessions import Session

OWNER_HEADER = "X-Console-Session"
OWNER_FIELD = "console_session"
LANGUAGE_COOKIE = "ratings-language"
LANGUAGE_SECONDS = 365 * 86_400
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
        return BrowserSession()

    def candidates(self, request: Request) -> list[str]:
        """An owner's comes in a header or a field where their frame has no cookies."""
        own = request.cookies.get(self.cookie, "")
        g.by_header = bool(said(request))
        g.owner_secret = said(request) or request.cookies.get(self.owner_cookie, "")
        order = (g.owner_secret, own) if g.by_header else (own, g.owner_secret)
        return [secret[:MAX_LENGTH] for secret in order if secret]

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if g.get("is_new_secret") and g.get("csrf_token"):
            self.set_cookie(response, g.secret)

    def set_cookie(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.cookie, secret, secure=self._config.is_secure, httponly=True, samesite="Strict"
        )

    def set_owner_cookie(self, response: Response, secret: str) -> None:
        self._set_framed(response, self.owner_cookie, secret)

    def set_trial_cookie(self, response: Response) -> None:
        """Whether a frame has cookies shows when this one comes back, or does not."""
        self._set_framed(response, f"{self.owner_cookie}-trial", "yes")

    def has_trial_cookie(self, request: Request) -> bool:
        return f"{self.owner_cookie}-trial" in request.cookies

    def set_language_cookie(self, response: Response, language: str) -> None:
        """So long a choice counts for whoever comes in by this browser."""
        self._set_framed(response, LANGUAGE_COOKIE, language, LANGUAGE_SECONDS)

    def _set_framed(
        self, response: Response, name: str, value: str, seconds: int | None = None
    ) -> None:
        """In a frame of Wix a cookie is a third party's, so it is partitioned (CHIPS).

        https://developer.mozilla.org/en-US/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
        """
        if not self._config.is_secure:
            response.set_cookie(name, value, seconds, httponly=True, samesite="Strict")
            return
        response.set_cookie(
            name, value, seconds, secure=True, httponly=True, samesite="None", partitioned=True
        )

    def drop_cookies(self, response: Response) -> None:
        for name in (self.cookie, self.owner_cookie):
            response.delete_cookie(
                name, secure=self._config.is_secure, httponly=True, samesite="Strict"
            )


def form_secret(secret: str) -> str:
    """What the tokens of a browser's forms are held against: known to who holds its secret."""
    return hmac.new(secret.encode("utf-8", "replace"), b"forms", hashlib.sha256).hexdigest()


def said(request: Request) -> str:
    """The secret of an owner's session, as the page itself carries it."""
    return request.headers.get(OWNER_HEADER, "") or request.form.get(OWNER_FIELD, "")


def find_session() -> None:
    """Before each request: whose it is."""
    if request.endpoint == "static" or is_program():
        return
    secrets = current_app.extensions["console_secrets"].candidates(request)
    g.secret = secrets[0] if secrets else new_secret()
    g.is_new_secret = not secrets
    for secret in secrets:
        found = parts().access.sessions.find(secret)
        if found is not None and is_fit(found):
            g.secret, g.session, g.who = secret, found, found.who
            g.may_be_framed = found.is_owner
            break
    session["csrf_token"] = form_secret(g.secret)


def is_fit(found: Session) -> bool:
    """Only an owner's session comes by a header."""
    return found.is_owner or not g.by_header


def init_app(app: Flask, config: ConsoleConfig) -> BrowserSecrets:
    secrets = BrowserSecrets(config)
    app.session_interface = secrets
    app.before_request(find_session)
    return secrets
