"""A site that opens by itself, when somebody installs the app: on which connector, and with which
policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync_worker.config import load_settings
from sync_worker.wiring import Wiring

pytestmark = pytest.mark.usefixtures("ledger_at_home")

SECRETS = {
    "FERA_SECRET_KEY": "sk_0123456789abcdef0123456789abcdef",
    "OWN_SERVICE_URL": "https://ratings.example",
    "OWN_SERVICE_TOKEN": "token",
    "OWN_SERVICE_WEBHOOK_SECRET": "secret",
}


@contextmanager
def wired(folder: Path, connectors: str) -> Iterator[Wiring]:
    environ = SECRETS | {"RATINGS_SYNC_HOME": str(folder), "CONNECTORS": connectors}
    wiring = Wiring(load_settings(environ), environ)
    try:
        yield wiring
    finally:
        wiring.close()


def test_site_opens_on_the_one_free_connector_with_its_policies(
    tmp_path: Path,
) -> None:
    """A site opens on the one free connector with the policies that it starts with."""
    with wired(tmp_path, "fera") as wiring:
        opened = wiring.sites.open("instance-1")
        assert opened is not None
        assert (opened[0].connector, opened[0].policy.direction) == ("fera", "to_wix")
        assert (opened[0].wix_api, str(opened[0].fields[0].wix)) == ("reviews", "1..5 step 1")
        assert wiring.admin.sites.find(None).policy.direction == "to_wix"
        assert wiring.sites.open("instance-2") is None, "its connector serves a site already"


def test_site_of_a_system_of_ones_own_opens_both_ways(tmp_path: Path) -> None:
    with wired(tmp_path, "own-service") as wiring:
        opened = wiring.sites.open("instance-1")
        assert opened is not None
        assert opened[0].policy.direction == "both"


def test_no_site_opens_while_two_connectors_are_free(tmp_path: Path) -> None:
    with wired(tmp_path, "fera,own-service") as wiring:
        assert wiring.sites.open("instance-1") is None
        assert wiring.admin.sites.all() == []
