"""Twenty mistakes of a manifest's author: each is named, with the key to change, by the command
that can know it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sync_worker.cli.connector.conformance import events_of
from sync_worker.cli.connector.group import connector
from sync_worker.core.values import EntityRef
from sync_worker.doctor.conformance import Conformance
from sync_worker.manifest.loader import load_manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.integration.remote_server import RemoteServer
from tests.integration.small_shop import SmallShop, a_delivery, settings_of, write_manifest

pytestmark = pytest.mark.full

GONE_BY_401 = {"status": [401, 404], "path": "code", "equals": "unauthorized", "outcome": "gone"}


@dataclass(frozen=True)
class Mistake:
    """``by``: the command that names it; ``says``: in one line of it, all of these words.

    ``changes``: of the manifest; ``environ``: of the settings, out of the right ones.
    """

    by: str
    says: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    environ: Callable[[dict[str, str]], dict[str, str]] = lambda settings: settings
    quirk: str = ""
    delivery: str = ""


def with_setting(name: str, change: Callable[[str], str]) -> Callable[..., dict[str, str]]:
    return lambda settings: settings | {name: change(settings[name])}


MISTAKES = {
    "token": Mistake(
        "--live",
        ("does not accept our credentials", "check auth"),
        environ=with_setting("SHOP_TOKEN", lambda token: "another"),
    ),
    "address": Mistake(
        "--live",
        ("could not connect: 127.0.0.1:9 refuses the connection", "check base_url"),
        environ=with_setting("SHOP_URL", lambda url: "http://127.0.0.1:9"),
    ),
    "path": Mistake(
        "--live",
        ("the answer is no JSON", "operations.list.path"),
        {"operations__list__path": "/v2/reviews"},
    ),
    "page parameter": Mistake(
        "--live",
        ("the parameter seite", "check operations.list.pagination.param"),
        {"operations__list__pagination__param": "seite"},
    ),
    "event name": Mistake(
        "--delivery",
        ("no rule of webhook.events matches 'review.changed'", "did you mean 'review.change'?"),
        {"webhook__events": [{"match": "review.change", "change": "upsert"}]},
        delivery=a_delivery(),
    ),
    "state word": Mistake(
        "--live",
        ("'approved'", "not among the words of states.read", "did you mean 'aproved'?"),
        {"states": {"read": {"aproved": "published"}, "write": {"published": "aproved"}}},
    ),
    "scale": Mistake(
        "--live",
        ("live: scale", "marks are not on 1..3 step 1: 4, 5"),
        {"scale__max": 3},
    ),
    "id path": Mistake(
        "--live",
        ("key.id", "nothing at `review_id`, the record has: id, product"),
        {"key__id__path": "review_id"},
    ),
    "items_path": Mistake(
        "--live",
        (
            "operations.list.items_path: nothing at `rows`, the answer has: data, total",
            "shop.yaml, line 69, column 5",
        ),
        {"operations__list__items_path": "rows"},
    ),
    "update without value": Mistake(
        "check",
        ("operations.update: carries no mark", "{from: rating.value}"),
        {"operations__update__body": {"status": {"from": "rating.state"}}},
    ),
    "401 as gone": Mistake(
        "check",
        ("operations.get.errors[0]", "401 and 403 never say that a record is gone"),
        {"operations__get__errors": [GONE_BY_401]},
    ),
    "http for https": Mistake(
        "--live",
        ("speaks no TLS; write http://", "check base_url"),
        environ=with_setting("SHOP_URL", lambda url: url.replace("http:", "https:")),
    ),
    "secret": Mistake(
        "--delivery",
        ("it is not verified", "the secret is another one", "webhook.verify.0.secret"),
        environ=with_setting("SHOP_WEBHOOK_SECRET", lambda secret: "another-secret"),
        delivery=a_delivery(),
    ),
    "signature header": Mistake(
        "--delivery",
        ("it fits as HMAC: header x-shop-signature", "webhook.verify.0.header is X-Signature"),
        {"webhook__verify__0__header": "X-Signature"},
        delivery=a_delivery(),
    ),
    "date form": Mistake(
        "--live",
        ("live: fields.created_at", "is no time (unit: epoch_s)", "at `created`"),
        {"fields__created_at__unit": "epoch_s"},
    ),
    "incremental parameter": Mistake(
        "--live",
        ("does not know its parameter updated_since", "operations.poll.incremental.param"),
        quirk="no_since",
    ),
    "second page": Mistake(
        "--live",
        ("nothing leads to it", "check operations.list.pagination.next_path"),
        {
            "operations__list__pagination": {
                "kind": "cursor",
                "next_path": "paging.next",
                "size_param": "per_page",
            }
        },
    ),
    "product path": Mistake(
        "--live",
        ("fields.entity: nothing at `product_id`, the record has: id, product",),
        {"fields__entity__path": "product_id"},
    ),
    "e-mail path": Mistake(
        "--live",
        ("fields.email: nothing at `author.mail`, `author` has: email, name",),
        {"fields__email__path": "author.mail"},
    ),
    "delete verb": Mistake(
        "conformance",
        ("status=405", "check operations.delete.method"),
        {"operations__delete__method": "POST"},
    ),
}


@pytest.fixture
def shop(server: RemoteServer) -> SmallShop:
    shop = SmallShop()
    shop.fill(25)
    server.answer = shop.answer
    return shop


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_named_with_the_key_to_change(
    tmp_path: Path, server: RemoteServer, shop: SmallShop, name: str
) -> None:
    mistake = MISTAKES[name]
    shop.quirks |= {mistake.quirk}
    file, captured = tmp_path / "shop.yaml", tmp_path / "captured.json"
    write_manifest(file, **mistake.changes)
    captured.write_text(mistake.delivery)
    environ = mistake.environ(settings_of(server))
    if mistake.by == "conformance":
        lines = wrong_lines_of_conformance(file, environ)
    else:
        options = {"--live": ["--live"], "--delivery": ["--delivery", str(captured)], "check": []}
        words = ["check", str(file), *options[mistake.by]]
        result = CliRunner().invoke(connector, words, env=environ, catch_exceptions=False)
        assert result.exit_code == 1, result.output
        lines = [line for line in result.output.splitlines() if line.startswith("✗")]
    named = [line for line in lines if all(word in line for word in mistake.says)]
    assert named, lines


def test_right_manifest_is_wrong_nowhere(
    tmp_path: Path, server: RemoteServer, shop: SmallShop
) -> None:
    """Else each of the above would be named for nothing."""
    file, captured = tmp_path / "shop.yaml", tmp_path / "captured.json"
    write_manifest(file)
    captured.write_text(a_delivery())
    words = ["check", str(file), "--live", "--delivery", str(captured)]
    result = CliRunner().invoke(connector, words, env=settings_of(server), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "!" not in result.output
    assert wrong_lines_of_conformance(file, settings_of(server)) == []


def wrong_lines_of_conformance(file: Path, environ: dict[str, str]) -> list[str]:
    manifest = load_manifest(file, environ)
    http = http_of(manifest, NoBudget(), OwnTokens())
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    suite = Conformance(
        remote_of(manifest, http),
        manifest.scale.scale,
        EntityRef("99"),
        events_of(manifest),
        lambda ids: [],
        sleep,
        lambda: now[0],
        2.0,
    )
    measured = [*suite.read(), *suite.write()]
    http.close()
    return [f"✗ {one.what}: {one.seen}; check {one.key}" for one in measured if one.differs]
