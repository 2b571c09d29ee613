"""The examples for headless CMS do what they say, against a stand-in of each form."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sync_sandbox.served import Served
from sync_worker.cli.connector.conformance import events_of
from sync_worker.core.errors import Gone, SyncError
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import EntityRef, NewDelivery, Person
from sync_worker.doctor.conformance import Conformance
from sync_worker.manifest.loader import load_manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.headless.cms import Cms, served
from tests.headless.directus import Directus
from tests.headless.strapi import Strapi
from tests.integration.small_connector import MUG, a_draft
from webhook_gateway.app import create_app
from webhook_gateway.external import read_deliveries
from webhook_gateway.settings import GatewayConfig

EXAMPLES = Path(__file__).parents[2] / "examples" / "connectors"
ADA, BEN = Person(email="ada@example.com"), Person(email="ben@example.com")
KINDS: dict[str, Callable[[], Cms]] = {"directus": Directus, "strapi": Strapi}


class Ground:
    """A stand-in, its connector, and what its webhooks told."""

    def __init__(self, stack: ExitStack, cms: Cms) -> None:
        self.cms, self.heard, self.ignored = cms, list[NewDelivery](), list[str]()
        self.server = stack.enter_context(served(cms))
        document = (EXAMPLES / f"{cms.name}.yaml").read_text()
        document = document.replace("# allow_private_hosts: true", "allow_private_hosts: true")
        self._document, self.environ = document, cms.settings(self.server.url)

    def load(self, folder: Path) -> None:
        file = folder / f"{self.cms.name}.yaml"
        file.write_text(self._document)
        self.manifest = load_manifest(file, self.environ)
        self.remote: Any = remote_of(self.manifest, http_of(self.manifest, NoBudget(), OwnTokens()))
        self.cms.hear = self._hear

    def _hear(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        now = datetime.now(UTC).timestamp()
        found = read_deliveries(self.manifest, json.dumps(body).encode(), headers, {}, now)
        if isinstance(found, list):
            self.heard += found
        else:
            self.ignored.append(f"{type(found).__name__} {getattr(found, 'reason', '')}")

    def told(self) -> list[tuple[str, str]]:
        told = [(str(one.change), one.remote_id) for one in self.heard]
        self.heard.clear()
        return told


@pytest.fixture(params=sorted(KINDS))
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        made = Ground(stack, KINDS[request.param]())
        made.load(tmp_path)
        yield made


def test_rating_is_made_changed_and_withdrawn_and_each_step_is_told(ground: Ground) -> None:
    made = ground.remote.create(a_draft(), "i-1")
    assert (made.person.email, made.values["value"], made.is_visible) == (ADA.email, 4, True)
    assert set(ground.told()) == {("upsert", made.remote_id)}
    ground.cms.change(made.remote_id, text="Its owner's own words")
    before = dict(ground.cms.reviews[made.remote_id])
    ground.told()
    changed = ground.remote.update(made.remote_id, a_draft(last=before), None)
    assert changed.values["value"] == 4
    after = ground.cms.reviews[made.remote_id]
    untouched = set(before) - {"stars", "id", "date_updated", "updatedAt"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    assert set(ground.told()) == {("upsert", made.remote_id)}
    ground.remote.delete(made.remote_id, None)
    assert ground.remote.get(made.remote_id) is None
    assert ground.told() == [("delete", made.remote_id)]


def test_person_s_rating_is_found_and_everything_is_listed(ground: Ground) -> None:
    theirs = ground.cms.rate("ada@example.com", "22", 5)
    others = {ground.cms.rate(f"p{number}@example.com", "22", 3) for number in range(130)}
    assert [one.remote_id for one in ground.remote.find(MUG, ADA)] == [theirs]
    assert ground.remote.find(MUG, BEN) == []
    listed, cursor, pages = set[str](), None, 0
    while True:
        page = ground.remote.list_page(cursor)
        listed |= {record.remote_id for record in page.records}
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
    assert listed == others | {theirs}
    assert pages <= 3


def test_only_what_was_updated_or_created_since_is_asked_for(ground: Ground) -> None:
    old, edited = (ground.cms.rate(f"p{number}@example.com", "22", 3) for number in range(2))
    for number in range(2, 40):
        ground.cms.rate(f"p{number}@example.com", "22", 3)
    since = ground.remote.changed_page(None, None).newest
    for _ in range(400):
        ground.cms.change(edited, stars=2)
    new = ground.cms.rate("new@example.com", "22", 1)
    newest = ground.remote.changed_page(since, None)
    seen = {record.remote_id for record in newest.records}
    assert {edited, new} <= seen
    again = ground.remote.changed_page(newest.newest, None)
    assert {record.remote_id for record in again.records} == {edited, new}
    assert old not in {record.remote_id for record in again.records}


def test_record_that_is_gone_is_no_refusal_of_our_account(ground: Ground) -> None:
    """Directus says 403 for what is gone and for what may not be touched."""
    review = ground.cms.rate("ada@example.com", "22", 5)
    ground.cms.remove(review)
    ground.remote.delete(review, None)
    with pytest.raises(Gone):
        ground.remote.update(review, a_draft(), None)
    ground.cms.may_read = False
    with pytest.raises(SyncError) as refused:
        ground.remote.update(review, a_draft(), None)
    assert not isinstance(refused.value, Gone)


def test_permission_that_was_withdrawn_is_not_gone(ground: Ground) -> None:
    review = ground.cms.rate("ada@example.com", "22", 5)
    assert ground.remote.get(review) is not None
    ground.cms.may_read = False
    with pytest.raises(SyncError):
        ground.remote.get(review)


def test_event_of_another_model_is_ignored(tmp_path: Path) -> None:
    with ExitStack() as stack:
        cms = Strapi()
        ground = Ground(stack, cms)
        ground.load(tmp_path)
        cms.publish_article()
        assert (ground.heard, ground.ignored) == ([], ["Ignored ignored_event_type"])


@pytest.mark.full
def test_example_does_what_it_declares_through_a_real_gateway(ground: Ground) -> None:
    """As `connector conformance --allow-writes` measures it."""
    stored: list[NewDelivery] = []

    def store(deliveries: Any) -> list[Stored]:
        stored.extend(deliveries)
        return [Stored(1, is_duplicate=False) for _ in deliveries]

    class Bell:
        def ring(self, inbox_ids: Any) -> None:
            """Nobody works here."""

    config = GatewayConfig(
        [], "app", {ground.manifest.id: ground.manifest}, store, Bell(), lambda: True
    )
    gateway = Served(create_app(config), 0)
    address = f"{gateway.url}/webhooks/external/{ground.manifest.id}"

    def tell(body: Any, headers: dict[str, str]) -> None:
        assert requests.post(address, json=body, headers=headers, timeout=5).ok

    ground.cms.hear = tell
    try:
        suite = Conformance(
            ground.remote,
            ground.manifest.scale.scale,
            EntityRef("22"),
            events_of(ground.manifest),
            lambda ids: [one.change for one in list(stored) if not ids or one.remote_id in ids],
            time.sleep,
            time.monotonic,
            wait_seconds=2.0,
        )
        measured = [*suite.read(), *suite.write()]
    finally:
        gateway.stop()
    assert [(one.what, one.seen) for one in measured if one.differs] == []
    assert ground.cms.reviews == {}
    assert stored
