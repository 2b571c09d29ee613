"""The console with people of every role in it, for tests that ask it as a browser does."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sync_console.app import create_app
from sync_worker.config import load_settings
from sync_worker.ledger.access.sessions import OwnerOf
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.services.access.who import COMMAND, Role
from sync_worker.wiring.console import ConsoleParts

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
FORM = re.compile(r'name="form" value="([^"]+)"')


class Browser:
    """Somebody's browser: it carries the cookie, and the tokens of the forms that it was shown."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def send(
        self, path: str, fields: Mapping[str, object] | None = None, shown_at: str = "/"
    ) -> TestResponse:
        """POST the form, with the tokens of the page ``shown_at``. Redirects are not followed."""
        page = self.client.get(shown_at).text
        tokens = {"csrf_token": _first(TOKEN, page), "form": _first(FORM, page) or "form-of-a-test"}
        return self.client.post(path, data={**tokens, **(fields or {})})

    def told(self, answer: TestResponse) -> str:
        """The page that a form led to."""
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.headers["Location"]).text


@dataclass
class Ground:
    """``admin``: what tests prepare the ledger with."""

    parts: ConsoleParts
    app: Flask
    admin: LedgerAdmin
    people: dict[Role, int] = field(default_factory=dict)

    def client(self, role: Role, site_id: int | None = None) -> Browser:
        """Somebody of this role, logged in; an owner of a site."""
        client = self.app.test_client()
        client.set_cookie(*self.cookie(role, site_id), domain="localhost")
        return Browser(client)

    def cookie(self, role: Role, site_id: int | None = None) -> tuple[str, str]:
        """Name and value of the cookie of a new session."""
        secrets = self.app.extensions["console_secrets"]
        name = secrets.owner_cookie if role is Role.OWNER else secrets.cookie
        return name, self._session(role, site_id)

    def anonymous(self) -> Browser:
        return Browser(self.app.test_client())

    def _session(self, role: Role, site_id: int | None) -> str:
        sessions = self.parts.access.sessions
        if role is Role.OWNER:
            assert site_id is not None
            return sessions.begin_for_owner(OwnerOf(site_id, f"instance-{site_id}", "uid-1"))
        if role not in self.people:
            self.people[role] = self.parts.access.people.add(COMMAND, f"some {role}", role)
        return sessions.begin(self.people[role])


@contextmanager
def ground_over(url: str, **environ: str) -> Iterator[Ground]:
    """``environ``: further settings, such as CONSOLE_PUBLIC_URL."""
    settings = load_settings(
        {"DATABASE_URL": url, "WIX_APP_SECRET": "app-secret-of-tests"} | environ
    )
    parts = ConsoleParts(settings, {})
    app = create_app(parts)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    try:
        yield Ground(parts, app, ledger_admin(parts.transactions.engine))
    finally:
        parts.close()


def free_port() -> int:
    """Of this machine; nobody else has it just now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
