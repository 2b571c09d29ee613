"""Files that somebody has sent, as workers import them: looked at, in slices, killed, stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from flask import Response
from sqlalchemy import select, update

from sync_worker.config import load_settings
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.tables import import_file
from sync_worker.services.access.who import Role, Who
from sync_worker.services.imports.choosing import Choice
from sync_worker.services.imports.imports import Imports, ShownImport
from sync_worker.wiring import Wiring
from tests.integration.import_shop import MEMBER, Shop, home_of_shop, row, shop

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

__all__ = ["home_of_shop", "shop"]  # fixtures
GRACE = Who("grace", Role.ADMIN)
JUDGEME = Choice("judgeme")
# A worker's task, in a process of its own.
WORK = "from sync_worker import tasks; task = tasks.app.tasks['sync_worker.tasks.import_files']"
WORK += "\nwhile task(): pass"


@dataclass
class Desk:
    """Somebody at the console, and a worker in this process."""

    shop: Shop
    wiring: Wiring
    imports: Imports

    def send(self, rows: list[str], name: str = "r.csv") -> int:
        path = self.shop.shell.folder / self.shop.judgeme(name, rows)
        return self.imports.send(GRACE, 1, path, JUDGEME).id

    def shown(self, import_id: int) -> ShownImport:
        return self.imports.one(GRACE, 1, import_id)

    def counts(self, import_id: int) -> dict[str, int]:
        return dict(self.shown(import_id).file.counts)

    def begin(self, import_id: int) -> None:
        """Looked at by a worker, then said yes to."""
        self.imports.look(GRACE, 1, import_id)
        self.work_off()
        self.imports.run(GRACE, 1, import_id, self.shown(import_id).to_type, "moved")

    def work_off(self, seconds: float = 60.0) -> None:
        """As many slices as it takes."""
        while (slices := self.wiring.import_slices()) is not None:
            if not slices.work_on(seconds).is_left:
                return

    def end_lease(self) -> None:
        """As time would."""
        with self.wiring.admin.engine.begin() as connection:
            connection.execute(update(import_file).values(lease_until=0.0))


def refuse(moment: str, call: str) -> Response | None:
    """Wix knows nobody any more."""
    return None if "token" in call else Response(status=401)


class _Asks:
    def import_files(self) -> None:
        """The test is the worker."""


@pytest.fixture
def desk(shop: Shop) -> Iterator[Desk]:
    wiring = Wiring(load_settings(shop.shell.environ), shop.shell.environ)
    files = SqlImportFiles(wiring.admin.transactions)
    yield Desk(shop, wiring, Imports(wiring.admin, files, _Asks()))
    wiring.close()


def test_look_writes_nothing_and_the_run_does_what_it_said(desk: Desk) -> None:
    desk.shop.add_people(3)
    rows = [row(0), row(1, rating=2), row(2, curated="spam"), row(3, email="nobody@example.com")]
    import_id = desk.send([*rows, row(0, rating=1), row(4, rating="bad")])
    before, people = desk.shop.wix_writes(), len(desk.shop.box.wix.contacts)
    desk.imports.look(GRACE, 1, import_id)
    desk.work_off()
    seen = desk.shown(import_id)
    expected = {"created": 2, "skipped": 1, "rejected": 3}
    assert (seen.file.phase, seen.file.state, dict(seen.file.counts)) == ("look", "ready", expected)
    assert seen.file.writes == {"create on wix": 2, "create on external": 2}
    assert (desk.shop.wix_writes(), len(desk.shop.box.wix.contacts)) == (before, people)
    desk.imports.run(GRACE, 1, import_id, seen.to_type)
    desk.work_off()
    done = desk.shown(import_id)
    assert (done.file.phase, done.file.state, dict(done.file.counts)) == ("run", "ready", expected)
    assert desk.shop.values_on_wix() == [40, 80]
    assert sorted(Decimal(one["score"]) for one in desk.shop.box.reviews.ratings.values()) == [2, 4]
    # Each rejected row says why, the second rating of a person too.
    part = desk.imports.rejected(GRACE, 1, import_id).text
    for words in ("write the value alone", "unknown_contact", "rated the same thing on line 2"):
        assert words in part
    lines = desk.wiring.admin.questions.history(limit=20)
    assert {one.entry.actor for one in lines if one.entry.reason == "import"} == {"grace"}
    # It stands among the comparisons, as an import by command does.
    (run,) = desk.shop.shell.how()["figures"]["runs"]
    assert (run["kind"], run["state"], run["counts"]) == ("import", "done", expected)


def test_same_file_a_second_time_writes_nothing(desk: Desk) -> None:
    desk.shop.add_people(2)
    first, second = (desk.send([row(0), row(1)]) for _ in range(2))
    desk.begin(first)
    desk.work_off()
    writes = (desk.shop.wix_writes(), desk.shop.external_writes())
    desk.imports.look(GRACE, 1, second)
    desk.work_off()
    assert desk.counts(second) == {"there": 2}
    assert not desk.shown(second).may_run
    assert (desk.shop.wix_writes(), desk.shop.external_writes()) == writes


def test_short_slices_do_what_one_long_one_does(desk: Desk) -> None:
    """Also for a second rating of the same person and thing, which another slice had met."""
    desk.shop.add_people(150)
    rows = [row(number) for number in range(150)]
    import_id = desk.send([*rows, row(3, rating=1)])
    desk.imports.look(GRACE, 1, import_id)
    desk.work_off(0.0)
    assert desk.counts(import_id) == {"created": 150, "rejected": 1}
    desk.imports.run(GRACE, 1, import_id, 150)
    slices = 0
    while (some := desk.wiring.import_slices()) is not None:
        slices += 1
        some.work_on(0.0)
    assert desk.counts(import_id) == {"created": 150, "rejected": 1}
    assert slices >= 2


def test_account_that_is_refused_fails_the_file_and_it_goes_on_later(desk: Desk) -> None:
    desk.shop.add_people(4)
    import_id = desk.send([row(number) for number in range(4)])
    desk.begin(import_id)
    desk.shop.box.wix.faults.watch = refuse
    desk.work_off()
    failed = desk.shown(import_id)
    assert (failed.file.state, failed.left, failed.may_run) == ("failed", 4, True)
    assert failed.file.reason
    desk.shop.box.wix.faults.watch = None
    desk.imports.run(GRACE, 1, import_id, 4)
    desk.work_off()
    assert desk.counts(import_id) == {"created": 4}


def test_stopped_import_begins_no_further_rows_and_goes_on(desk: Desk) -> None:
    count = 120
    desk.shop.add_people(count)
    import_id = desk.send([row(number) for number in range(count)])
    desk.begin(import_id)
    slices = desk.wiring.import_slices()
    assert slices is not None
    desk.imports.stop(GRACE, 1, import_id)
    assert desk.wiring.import_slices() is None
    assert desk.shown(import_id).left == count
    desk.imports.run(GRACE, 1, import_id, count)
    desk.work_off()
    assert desk.counts(import_id) == {"created": count}


def test_worker_that_is_killed_again_and_again_brings_each_rating_once(desk: Desk) -> None:
    """What had come to its end before a kill stays noted; every row comes to its end."""
    count = 150
    desk.shop.add_people(count)
    rows = [row(number, product=f"P{number % 9 + 1}") for number in range(count)]
    import_id = desk.send(rows)
    desk.begin(import_id)
    chance = random.Random(3)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WORK], cwd=desk.shop.shell.folder, env=desk.shop.shell.environ
        )
        begun, until = desk.shop.wix_writes(), time.monotonic() + 30
        while (
            process.poll() is None
            and desk.shop.wix_writes() < begun + chance.randint(5, 30)
            and time.monotonic() < until
        ):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        desk.end_lease()
    desk.work_off()
    done = desk.shown(import_id)
    assert (done.file.state, done.left) == ("ready", 0)
    counts = desk.counts(import_id)
    assert counts["created"] + counts.get("there", 0) == count
    assert [one["operation"] for one in desk.shop.box.wix.journal] == ["create"] * count
    assert len(desk.shop.box.reviews.ratings) == count


def test_rating_between_look_and_run_is_newer_than_the_file(desk: Desk) -> None:
    """A row counts only for what nobody knows, by page as by command."""
    desk.shop.add_people(2)
    import_id = desk.send([row(0), row(1)])
    desk.begin(import_id)
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "wix-1",
        "attributeName": "overall",
        "value": 20,
    }
    contacts = {
        one["primaryInfo"]["email"]: one["id"] for one in desk.shop.box.wix.contacts.values()
    }
    owner = {"owner": {"contactId": contacts["person0@example.com"]}}
    desk.shop.box.wix.create_rating(rating | owner, MEMBER)
    desk.work_off()
    # What was rated between the look and the yes is newer than the file.
    assert Counter(desk.counts(import_id)) == {"created": 1, "there": 1, "differs": 1}
    assert desk.shop.values_on_wix() == [20, 80]
    with desk.wiring.admin.engine.connect() as connection:
        assert connection.execute(select(import_file.c.lease_until)).scalar_one() == 0
