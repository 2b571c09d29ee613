"""What names no site is refused in words, before the ledger is asked, on both databases alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.opening import open_with_newest_schema

pytestmark = pytest.mark.full


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def admin(request: pytest.FixtureRequest) -> Iterator[LedgerAdmin]:
    engine = open_with_newest_schema(
        request.getfixturevalue(request.param), busy_seconds=5.0, pool_size=2
    )
    yield ledger_admin(engine)
    engine.dispose()


@pytest.mark.parametrize("instance_id", ["", "i" * 65, "i" * 100_000, "a\x00", "a\ud83d", "a\nb"])
def test_instance_id_that_can_be_none_is_refused(admin: LedgerAdmin, instance_id: str) -> None:
    with pytest.raises(Misconfigured, match="no instance id") as refused:
        admin.sites.add(instance_id, "own-service", [])
    assert len(str(refused.value)) < 500
    assert admin.sites.all() == []


def test_namespace_that_the_ledger_has_no_room_for_is_refused(admin: LedgerAdmin) -> None:
    site, _ = admin.sites.add("instance-1", "own-service", [])
    with pytest.raises(Misconfigured, match="at most 64"):
        admin.sites.set_policy(site.id, {"same_id_namespace": "n" * 65})
