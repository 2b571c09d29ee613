"""The console with people of every role in it, for tests that ask it as a browser does."""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from sync_console.app import create_app
from sync_console.web.limits import Limits
from sync_console.web.sessions import form_secret
from sync_worker.config import load_settings
from sync_worker.ledger.access.sessions import OwnerOf
from sync_worker.ledger.access.tables import session
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.tables import inbox, metadata, site
from sync_worker.services.access.secrets import new_secret
from sync_worker.services.access.who import COMMAND, Role
from sync_worker.wiring.console import ConsoleParts

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
FORM = re.compile(r'name="form" value="([^"]+)"')


class At(FlaskClient):
    """Flask's client, at the console's own address."""

    def __init__(self, app: Flask, url: str, use_cookies: bool) -> None:
        super().__init__(app, app.response_class, use_cookies=use_cookies)
        self._url = url

    def open(self, *args: Any, **more: Any) -> TestResponse:
        return super().open(*args, **{"base_url": self._url, **more})


class Browser:
    """Somebody's browser: it carries the cookie, and the tokens of the forms that it was shown."""

    def __init__(self, app: Flask, url: str, *, use_cookies: bool = True) -> None:
        self._app, self._host = app, urlsplit(url).hostname or ""
        self.client = At(app, url, use_cookies)

    def open(self, path: str, method: str = "GET", **more: Any) -> TestResponse:
        """Redirects are not followed."""
        return self.client.open(path, method=method, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.open(path, **more)

    def post(self, path: str, fields: Mapping[str, object], **more: Any) -> TestResponse:
        """These fields and no others."""
        return self.open(path, "POST", data=fields, **more)

    def send(
        self, path: str, fields: Mapping[str, object] | None = None, shown_at: str = "/"
    ) -> TestResponse:
        """POST the form, with the tokens of the page ``shown_at``. Redirects are not followed."""
        return self.post(path, {**self.tokens(shown_at), **(fields or {})})

    def tokens(self, shown_at: str = "/") -> dict[str, str]:
        """Those of the page's first form, or of one that it might have."""
        page = self.get(shown_at).text
        form = _first(FORM, page) or new_secret()
        return {"csrf_token": _first(TOKEN, page) or self._token(), "form": form}

    def _token(self) -> str:
        """As Flask-WTF makes it for this browser's secret."""
        secrets = self._app.extensions["console_secrets"]
        held = self.cookie(secrets.cookie) or self.cookie(secrets.owner_cookie)
        signer = URLSafeTimedSerializer(self._app.secret_key or "", salt="wtf-csrf-token")
        return str(signer.dumps(form_secret(held)))

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, domain=self._host)
        return found.value if found else ""

    def set_cookie(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value, domain=self._host)

    def told(self, answer: TestResponse) -> str:
        """The page that a form led to."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"]).text


@dataclass
class Ground:
    """``admin``: what tests prepare the ledger with."""

    parts: ConsoleParts
    app: Flask
    admin: LedgerAdmin
    people: dict[Role, int] = field(default_factory=dict)

    def client(self, role: Role, site_id: int | None = None) -> Browser:
        """Somebody of this role, logged in; an owner of a site."""
        browser = self.anonymous()
        browser.set_cookie(*self.cookie(role, site_id))
        return browser

    def cookie(self, role: Role, site_id: int | None = None) -> tuple[str, str]:
        """Name and value of the cookie of a new session."""
        secrets = self.app.extensions["console_secrets"]
        name = secrets.owner_cookie if role is Role.OWNER else secrets.cookie
        return name, self._session(role, site_id)

    def anonymous(self, *, use_cookies: bool = True) -> Browser:
        return Browser(self.app, self.parts.public_url, use_cookies=use_cookies)

    def site(self, instance_id: str = "instance-1", connector: str = "own-service") -> int:
        """The number of a new site."""
        return self.admin.sites.add(instance_id, connector, ())[0].id

    def everything_of(self, site_id: int) -> str:
        """All rows of a site, and all deliveries, as a text."""
        found = []
        with self.parts.transactions.read() as connection:
            for table in metadata.sorted_tables:
                if table.name.startswith("console_") or table.name == "audit":
                    continue
                rows = select(table)
                if "site_id" in table.c:
                    rows = rows.where(table.c.site_id == site_id)
                elif table is site:
                    rows = rows.where(site.c.id == site_id)
                elif table is not inbox:
                    continue
                found.append(f"{table.name}: {connection.execute(rows).all()}")
        return "\n".join(found)

    def set_locale(self, locale: str) -> None:
        """Of all sessions, as Wix says it for an owner."""
        with self.parts.transactions.write() as connection:
            connection.execute(update(session).values(locale=locale))

    def _session(self, role: Role, site_id: int | None) -> str:
        sessions = self.parts.access.sessions
        if role is Role.OWNER:
            assert site_id is not None
            of = OwnerOf(site_id, f"instance-{site_id}", "uid-1")
            return sessions.take_over(sessions.begin_for_owner(of)) or ""
        if role not in self.people:
            invited = self.parts.access.people.invite(COMMAND, f"some {role}", role)
            self.people[role] = invited.person.id
        return sessions.begin(self.people[role])


@contextmanager
def ground_over(url: str, **environ: str) -> Iterator[Ground]:
    """``environ``: further settings, such as CONSOLE_PUBLIC_URL."""
    settings = load_settings(
        {"DATABASE_URL": url, "WIX_APP_SECRET": "app-secret-of-tests"} | environ
    )
    parts = ConsoleParts(settings, {})
    idle = _IDLE[frozenset(environ.items())]
    app = _taken_over(idle.pop(), parts) if idle else create_app(parts)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    try:
        yield Ground(parts, app, ledger_admin(parts.transactions.engine))
    finally:
        parts.close()
        idle.append(app)


# Consoles of tests that have ended, by their further settings: to make one takes as long as two
# dozen requests, for its addresses are compiled.
_IDLE: defaultdict[frozenset[tuple[str, str]], list[Flask]] = defaultdict(list)


def _taken_over(app: Flask, parts: ConsoleParts) -> Flask:
    """The console over other parts of equal settings but for the ledger, as if it were new."""
    app.extensions["console"] = parts
    per_minute = parts.settings.console_api_per_minute
    app.extensions["console_limits"] = Limits(per_minute, shared=parts.seconds_until_free)
    return app


def free_port() -> int:
    """Of this machine; nobody else has it just now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
