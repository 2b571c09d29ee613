"""Causes of holds that answers of an external system bring about over real HTTP, to their end.

Each is told in words with what to do next, as ``held show`` does, and is gone with its cause.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import EntityRef, Side
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.pace import Pace
from sync_worker.wiring import Wiring
from tests.commands import run_command
from tests.documents import document_of
from tests.factories import a_delivery
from tests.integration.own_worker import OwnWorker
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.small_connector import BASE, a_row

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
TOLD = {
    "verify": [{"type": "url_token", "secret": {"env": "HOOK_SECRET"}}],
    "event": {"const": "changed"},
    "events": [{"match": "changed", "change": "upsert"}],
    "key": {"id": "id"},
}


@dataclass
class Outside:
    """The system: its records, and what its listing answers instead, if anything."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    instead: Reply | None = None

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            self.rows.append(a_row(len(self.rows) + 1, stars=asked.json["stars"]))
            return Reply(201, self.rows[-1])
        name = asked.path.rpartition("/")[2]
        if name == "products":
            return Reply(body={"rows": [{"id": "22"}]})
        if name != "r":
            found = [row for row in self.rows if str(row["id"]) == name]
            return Reply(body=found[0]) if found else Reply(404, {"code": "none"})
        number = int(asked.query.get("page", 0))
        rows = self.rows[number - 1 : number] if number else self.rows
        # An outage of later pages only.
        if self.instead is None or number == 1:
            return Reply(body={"rows": rows})
        return self.instead


@dataclass
class Ground:
    """A site with one product and Ada, between Wix's stand-in and the system outside."""

    outside: Outside
    box: Sandbox
    folder: Path
    environ: dict[str, str]
    wired: Callable[..., Wiring]
    wiring: Wiring
    heard: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        field_ = default_field(self.wiring.manifests["small"])
        self.site, _ = self.wiring.admin.sites.add(self.box.wix.instance_id, "small", [field_])
        pair = (EntityRef("beans", "stores", "reviews"), EntityRef("22"))
        self.wiring.admin.mappings.import_entities(self.site, [pair])
        self.ada = str(self.box.wix.add_contact(EMAIL, "Ada")["id"])

    def hear(self, remote_id: str, side: Side = Side.EXTERNAL) -> int:
        """A webhook that names its record, and tells no more; all that is due is worked off."""
        source = "small" if side is Side.EXTERNAL else self.box.wix.instance_id
        named: dict[str, Any] = {"remote_id": remote_id, "payload": {}, "revision": None}
        new = a_delivery(next(self.heard), side=side, source=source, **named)
        inbox_id = self.wiring.ledger.inbox.store(new).inbox_id
        self.work_off(inbox_id)
        return inbox_id

    def work_off(self, *inbox_ids: int) -> None:
        OwnWorker(self.box, self.wiring, self.site, rung=[*inbox_ids]).work_off()

    def sweep(self) -> dict[str, int]:
        """From where the last one was interrupted, to its end; what it counted."""
        parts = self.wiring.sweeps
        sweep = parts.runs.begin(self.site.id, RunKind.SWEEP)
        assert sweep is not None
        run = parts.reconcile(self.site, sweep, Pace(lambda seconds: None), lambda write: None)
        try:
            assert run.work()
        finally:
            parts.runs.release_run(run.sweep)
        return dict(run.sweep.counts)

    def rate_on_wix(self, value: int) -> str:
        rating: dict[str, Any] = {"namespace": "reviews", "group": "stores", "entityId": "beans"}
        rating |= {"attributeName": "overall", "value": value, "owner": {"contactId": self.ada}}
        return str(self.box.wix.create_rating(rating, {"identityType": "MEMBER"})["id"])

    def on_wix(self) -> list[int]:
        return [int(one["value"]) for one in self.box.wix.ratings.values()]

    def show(self, inbox_id: int) -> str:
        words = ("held", "show", str(inbox_id), "--offline")
        done = run_command(words, self.folder, self.environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def release(self, reason: str) -> None:
        done = run_command(("held", "release", "--reason", reason), self.folder, self.environ)
        assert done.returncode == 0, done.stderr
        self.work_off()

    def held(self) -> list[str]:
        return [one.reason for one in self.wiring.admin.held.all()]


Make = Callable[..., Ground]


@pytest.fixture
def make(tmp_path: Path, server: RemoteServer) -> Iterator[Make]:
    """``changes`` of the manifest, as ``a_manifest`` takes them; ``None`` leaves a part out."""
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(SandboxOptions(rate_per_minute=None)))
        outside = Outside()
        server.answer = outside.answer
        environ = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
            "CONNECTORS": str(tmp_path / "small.yaml"),
            "HOOK_SECRET": "hook-secret-0123456789",
            "URL": server.url,
            "PATH": os.environ["PATH"],
            "COLUMNS": "400",
        }

        def wired(**changes: Any) -> Wiring:
            write(tmp_path / "small.yaml", changes)
            wiring = Wiring(load_settings(environ), environ)
            stack.callback(wiring.close)
            return wiring

        def make(**changes: Any) -> Ground:
            return Ground(outside, box, tmp_path, environ, wired, wired(**changes))

        yield make


def write(path: Path, changes: dict[str, Any]) -> None:
    document = document_of(BASE) | {"http": {"budget": {"requests": 6000, "per_s": 1}}}
    for place, value in changes.items():
        *parts, last = place.split("__")
        part = document
        for name in parts:
            part = part[name]
        part[last] = value
        if value is None:
            del part[last]
    path.write_text(yaml.safe_dump(document))


def test_record_that_does_not_say_what_it_rates_waits_until_it_does(make: Make) -> None:
    ground = make(fields__entity={"path": "product"}, webhook=TOLD)
    ground.outside.rows.append(a_row(1, product=None))
    number = ground.hear("1")
    assert ground.held() == ["no_entity"]
    told = ground.show(number)
    assert "The external record does not say what it rates." in told
    assert "Check `fields.entity` in the manifest, then release; or drop." in told
    assert "the next look at its record finds what it rates" in told
    ground.sweep()
    assert set(ground.held()) == {"no_entity"}
    ground.outside.rows[0] |= {"product": "22"}
    ground.sweep()
    ground.work_off()
    assert (ground.held(), ground.on_wix()) == ([], [80])


def test_record_that_its_listing_does_not_show_waits_until_it_does(make: Make) -> None:
    """The system gives no record by its id, and never tells of a delete."""
    ground = make(operations__get=None, webhook=TOLD)
    number = ground.hear("1")
    assert ground.held() == ["not_listed"]
    told = ground.show(number)
    assert "only through its listing, and it does not show this one." in told
    assert "Look whether the record is there; release later, as listings may lag." in told
    ground.outside.rows.append(a_row(1))
    ground.sweep()
    ground.work_off()
    assert (ground.held(), ground.on_wix()) == ([], [80])


@pytest.mark.parametrize("way", ["release", "sweep"])
def test_listing_in_maintenance_holds_a_create_until_it_is_well(make: Make, way: str) -> None:
    """Taken for an empty one it would double what it does not show."""
    ground = make()
    ground.outside.instead = Reply(body={"rows": None, "message": "back at five"})
    number = ground.hear(ground.rate_on_wix(80), Side.WIX)
    assert ground.held() == ["malformed_listing"]
    told = ground.show(number)
    assert "A listing held no list where the manifest looks for it" in told
    assert "Correct `items_path` in the manifest, or wait until the system is well" in told
    ground.release("malformed_listing")
    assert (ground.held(), ground.outside.rows) == (["malformed_listing"], [])
    ground.outside.instead = None
    if way == "release":
        ground.release("malformed_listing")
    else:
        ground.sweep()
        ground.work_off()
    assert ground.held() == []
    assert [row["stars"] for row in ground.outside.rows] == [4]


def test_place_of_another_form_of_listing_begins_the_listing_again(make: Make) -> None:
    """A sweep is cut off, and meanwhile the manifest lists product by product."""
    pages = {"kind": "page", "param": "page", "size_param": "size", "size": 1}
    ground = make(operations__list__pagination=pages)
    ground.outside.rows += [a_row(1), a_row(2, email="bob@example.com")]
    ground.box.wix.add_contact("bob@example.com", "Bob")
    ground.outside.instead = Reply(503)
    with pytest.raises(Transient):
        ground.sweep()
    ground.outside.instead = None
    parents = {"method": "GET", "path": "/products", "items_path": "rows", "id_path": "id"}
    ground.wiring = ground.wired(
        operations__parents=parents, operations__list__path="/products/{entity.external_id}/r"
    )
    remote = ground.wiring.remotes.connect(ground.site).remotes[Side.EXTERNAL]
    with pytest.raises(Permanent, match="this is no cursor of a listing") as refusal:
        remote.list_page('{"pages": 1, "rows": 1}')
    known = hold_reason(str(refusal.value.reason))
    assert (known.name, known.title) == ("bad_cursor", "A place in a list is not known any more")
    assert "Run the command again from the beginning" in known.advice
    counts = ground.sweep()
    assert (counts["begun_again_external"], counts["listed_external"]) == (1, 2)
    assert (ground.held(), ground.on_wix()) == ([], [80, 80])
