"""``ratings-sync connector …`` in an empty folder, as its tests run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sync_worker.cli.connector.group import connector
from tests.integration.remote_server import RemoteServer

WOO = {
    "WOO_CONSUMER_KEY": "k",
    "WOO_CONSUMER_SECRET": "s",
    "WOO_WEBHOOK_SECRET": "woo-secret-0123456789abcdef",
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder without settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONNECTORS", *WOO):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(connector, words, env=environ, catch_exceptions=True)


def said(*words: str, **environ: str) -> Any:
    result = run(*words, "--json", **environ)
    return json.loads(result.stdout)


def a_shop(server: RemoteServer) -> str:
    """A manifest of WooCommerce that leads to the stand-in."""
    Path("shop.yaml").write_text(
        yaml.safe_dump(
            {
                "extends": "woocommerce",
                "id": "shop",
                "base_url": server.url,
                "allow_private_hosts": True,
            }
        )
    )
    return "./shop.yaml"
