"""The conformance suite against the stand-ins: what each connector that ships declares is what is
measured.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.served import Served
from sync_sandbox.server import PLATFORMS, Sandbox, SandboxOptions
from sync_worker.cli.connector.conformance import events_of
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import EntityRef, NewDelivery
from sync_worker.doctor.conformance import Conformance
from sync_worker.doctor.measured import Measured
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import ErrorRule, OperationSpec
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from webhook_gateway.app import create_app
from webhook_gateway.settings import GatewayConfig

TWO_WAY = ("own-service", *PLATFORMS)


class Ground:
    """A stand-in, the gateway that hears it, and the suite between them."""

    def __init__(self, stack: ExitStack, folder: Path, name: str) -> None:
        platform = name if name in PLATFORMS else None
        self.box = stack.enter_context(Sandbox(SandboxOptions(platform=platform, retry_scale=0.01)))
        self.heard: list[NewDelivery] = []
        self.manifest = self._manifest(folder)
        config = GatewayConfig(
            [], "app", {self.manifest.id: self.manifest}, self._store, self, lambda: True
        )
        gateway = Served(create_app(config), 0)
        stack.callback(gateway.stop)
        self.box.send_webhooks_to(gateway.url)
        http = http_of(self.manifest, NoBudget(), OwnTokens())
        stack.callback(http.close)
        self.remote = remote_of(self.manifest, http)

    def _manifest(self, folder: Path) -> Manifest:
        environ = self.box.settings(folder)
        if self.box.platform is None:
            return load_manifest(shipped_manifest("own-service"), environ)
        file = folder / f"{self.box.connector}.yaml"
        file.write_text(self.box.manifest())
        return load_manifest(file, environ)

    def _store(self, deliveries: Sequence[NewDelivery]) -> list[Stored]:
        self.heard += deliveries
        return [Stored(1, is_duplicate=False) for _ in deliveries]

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """Implements ports.Bell: nobody works here."""

    def changes(self, remote_ids: Sequence[str]) -> list[str]:
        return [
            one.change for one in list(self.heard) if not remote_ids or one.remote_id in remote_ids
        ]

    def suite(self, **options: Any) -> Conformance:
        events, product = events_of(self.manifest), EntityRef("22")
        scale = self.manifest.scale.scale
        return Conformance(
            self.remote,
            scale,
            product,
            events,
            self.changes,
            time.sleep,
            time.monotonic,
            **{"wait_seconds": 2.0} | options,
        )

    def external(self) -> list[Any]:
        """What is there besides, on the stand-in."""
        if self.box.platform is not None:
            return list(self.box.platform.reviews.values())
        return [one for one in self.box.reviews.ratings.values() if one["visibility"] != "removed"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as parts:
        yield parts


def by_name(measured: Sequence[Measured]) -> dict[str, str]:
    return {one.what: one.seen for one in measured}


@pytest.mark.parametrize("name", TWO_WAY)
def test_connector_does_what_its_manifest_declares_and_nothing_is_left(
    stack: ExitStack, tmp_path: Path, name: str
) -> None:
    ground = Ground(stack, tmp_path, name)
    suite = ground.suite()
    measured = [*suite.read(), *suite.write()]
    assert [one for one in measured if one.differs] == []
    assert (suite.made, ground.external()) == ([], [])
    seen = by_name(measured)
    assert seen["a second record of one person is refused"] == (
        "yes" if name == "own-service" else "no"
    )
    assert seen["every mark is kept as written"] == "yes"
    assert seen["the body comes back as it was written"] == "yes"
    assert seen["a changed body is kept as written"] == "yes"
    assert seen["a changed body leaves stars and other words alone"] == "yes"
    assert seen["new stars leave the words alone"] == "yes"
    has_limit = name in ("own-service", "bigcommerce")
    assert ("the longest title is kept as written" in seen) == has_limit
    assert seen["a delete comes as an event"] == "yes"
    assert seen["an edit comes as an event"] == ("no" if name == "bigcommerce" else "yes")


def test_reading_only_writes_nothing(stack: ExitStack, tmp_path: Path) -> None:
    ground = Ground(stack, tmp_path, "woocommerce")
    platform = ground.box.platform
    assert platform is not None
    platform.create("22", "ada@example.com", "Ada", 4, by="visitor", text="Nice")
    assert by_name(list(ground.suite().read()))["get shows what the listing shows"] == "yes"
    assert {call.split()[0] for call in platform.calls} == {"GET"}


@pytest.mark.full
def test_search_that_lags_is_measured(stack: ExitStack, tmp_path: Path) -> None:
    ground = Ground(stack, tmp_path, "fera")
    assert ground.box.platform is not None
    ground.box.platform.faults.set("find_lags", chance=1.0)
    lag = by_name(list(ground.suite(wait_seconds=6.0).write()))["the search shows a new record"]
    # Two seconds from the create; how long its answer took is none of the search's.
    assert float(lag.split()[1]) >= 0.5, lag


@pytest.mark.full
def test_system_that_rounds_differs_from_what_is_declared(stack: ExitStack, tmp_path: Path) -> None:
    ground = Ground(stack, tmp_path, "own-service")
    ground.box.reviews.faults.set("rounds", chance=1.0)
    suite = ground.suite()
    measured = list(suite.write())
    assert {one.what for one in measured if one.differs} == {"every mark is kept as written"}
    assert (suite.made, ground.external()) == ([], [])


@pytest.mark.full
def test_system_that_spoils_texts_differs_from_what_is_declared(
    stack: ExitStack, tmp_path: Path
) -> None:
    ground = Ground(stack, tmp_path, "own-service")
    faults = ground.box.reviews.faults
    for fault, what, became in (
        ("emoji_lost", "the body comes back as it was written", "é ?"),
        ("texts_cut", "the longest title is kept as written", "120 characters became"),
    ):
        faults.set(fault, chance=1.0)
        differing = {one.what: one for one in ground.suite().write() if one.differs}
        faults.set(fault, chance=0.0)
        assert became in differing[what].seen
        assert differing[what].key.startswith("text")


def test_wrong_declaration_is_found(stack: ExitStack, tmp_path: Path) -> None:
    """A manifest that claims uniqueness for a system that has none."""
    ground = Ground(stack, tmp_path, "woocommerce")
    operations = ground.manifest.operations.model_copy(update={"unique": True})
    ground.remote = remote_of(
        ground.manifest.model_copy(update={"operations": operations}),
        http_of(ground.manifest, NoBudget(), OwnTokens()),
    )
    measured = list(ground.suite(wait_seconds=0.5).write())
    assert "a second record of one person is refused" in {
        one.what for one in measured if one.differs
    }


def test_what_was_made_is_deleted_when_the_system_fails_half_way(
    stack: ExitStack, tmp_path: Path
) -> None:
    ground = Ground(stack, tmp_path, "fera")
    suite = ground.suite()
    run = suite.write()
    next(run)
    assert len(ground.external()) == 1
    assert isinstance(run, Generator)
    run.close()
    assert (suite.made, ground.external()) == ([], [])


@pytest.mark.full
def test_status_that_alone_is_taken_for_gone_is_measured(stack: ExitStack, tmp_path: Path) -> None:
    """A rule without the system's own word cannot tell a record that is gone from an outage."""
    ground = Ground(stack, tmp_path, "own-service")
    bare = ErrorRule(status=(404, 410), outcome="gone")
    operations = ground.manifest.operations
    get = operations.get
    assert isinstance(get, OperationSpec)
    changed = operations.model_copy(update={"get": get.model_copy(update={"errors": (bare,)})})
    manifest = ground.manifest.model_copy(update={"operations": changed})
    http = http_of(manifest, NoBudget(), OwnTokens())
    stack.callback(http.close)
    ground.remote = remote_of(manifest, http)
    measured = by_name(list(ground.suite().write()))
    assert measured["a record that is gone is said to be in the system's own words"] == "no"


def test_pictures_are_measured_where_a_manifest_names_them(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Not known while no review has one; then as the listing and a look by id show them."""
    ground = Ground(stack, tmp_path, "own-service")
    rated: dict[str, Any] = {"subject": {"id": "22"}, "score": 4}
    ground.box.reviews.create(rated | {"author": {"email": "ada@example.com"}}, by="visitor")
    (none_yet,) = [one for one in ground.suite().read() if "pictures" in one.what]
    assert (none_yet.declared, none_yet.is_known) == ("yes", False)
    photos = ["https://shop.example/mug.jpg"]
    bob = {"author": {"email": "bob@example.com"}, "photos": photos}
    ground.box.reviews.create(rated | bob, by="visitor")
    seen = {one.what: one.seen for one in ground.suite().read() if "pictures" in one.what}
    assert seen == {
        "pictures are read as addresses": "yes",
        "get shows the pictures that the listing shows": "yes",
    }


def test_system_without_pictures_is_asked_for_none(stack: ExitStack, tmp_path: Path) -> None:
    ground = Ground(stack, tmp_path, "woocommerce")
    assert [one for one in ground.suite().read() if "pictures" in one.what] == []
