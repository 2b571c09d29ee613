"""Programs that ask the console's API, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from werkzeug.routing import Rule

from sync_worker.services.access.who import COMMAND, Right
from tests.integration.console.ground import Browser, Ground

API = "/api/v1"
_names = count()


@dataclass
class Program:
    """One token, by the console's own address."""

    browser: Browser
    secret: str

    def open(self, path: str, method: str = "GET", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **more.pop("headers", {})}
        return self.browser.open(path, method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.open(API + path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> Any:
        return self.open(API + path, "POST", json={} if body is None else body, **more)


def program(
    ground: Ground, scopes: Sequence[Right] = tuple(Right), site_id: int | None = None
) -> Program:
    """With a new token of these scopes; for one site, or all."""
    name = f"program {next(_names)}"
    made = ground.parts.access.tokens.add(COMMAND, name, scopes, days=1, site_id=site_id)
    return Program(ground.anonymous(use_cookies=False), made.secret)


def api_rules(ground: Ground) -> Iterator[tuple[Rule, str]]:
    """Each endpoint of the API with its method; not its document."""
    for rule in ground.app.url_map.iter_rules():
        if rule.rule.startswith(f"{API}/") and rule.endpoint != "api.openapi":
            (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            yield rule, method


def api_address(rule: Rule, ids: Mapping[str, object] | None = None) -> str:
    """What it takes is of nobody, but for what ``ids`` names."""
    built = rule.build({name: (ids or {}).get(name, 999_999) for name in rule.arguments})
    assert built is not None
    return built[1]
