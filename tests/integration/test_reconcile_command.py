"""``ratings-sync reconcile`` as people and scripts run it, where nothing else runs: no Redis, no
worker.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.volume import GROUP, NAMESPACE, Volume, load, silently
from sync_worker.config import load_settings
from sync_worker.core.values import EntityRef
from sync_worker.ledger.tables import inbox
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.free_port import free_port
from sync_worker.wiring import Wiring
from sync_worker.wiring.sweeps import NoBell
from tests.integration.console.table_of_keys import PAIRS, breaches
from tests.integration.shell import COMMAND, Shell
from tests.terminal import CTRL_C, Seen, at_terminal

HALF = Volume(each_side=12, conflicting=0, strangers=1)
# As shells say it: 128 and the number.
STOPS = [(CTRL_C, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.full)]


@dataclass
class TwoSides:
    """A site between full stand-ins, in a folder of its own."""

    box: Sandbox
    shell: Shell

    def reconcile(self, *options: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            self.shell.good("reconcile", "--yes", "--json", *options)
        )
        return document

    def at_terminal(self, answers: Mapping[str, str | signal.Signals], *options: str) -> Seen:
        environ = self.shell.environ | {"TERM": "xterm"}
        return at_terminal([COMMAND, "reconcile", *options], self.shell.folder, environ, answers)

    def counts(self) -> tuple[int, int]:
        alive = [one for one in self.box.reviews.ratings.values() if one["visibility"] != "removed"]
        return len(self.box.wix.ratings), len(alive)


def two_sides(folder: Path, volume: Volume) -> Iterator[TwoSides]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = {
            **box.settings(),
            "PATH": os.environ["PATH"],
            "COLUMNS": "120",
            "RATINGS_SYNC_HOME": str(folder / "home"),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "BUDGET_PROCESSES": "1",
        }
        wiring = Wiring(load_settings(environ), environ)
        manifest = wiring.manifests["own-service"]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, manifest.id, [default_field(manifest)]
        )
        pairs = [
            (EntityRef(wix, GROUP, NAMESPACE), EntityRef(sku))
            for wix, sku in volume.products.items()
        ]
        wiring.admin.mappings.import_entities(site, pairs)
        wiring.close()
        load(box, volume)
        yield TwoSides(box, Shell(folder, environ))


@pytest.fixture
def sides(tmp_path: Path, home: Path) -> Iterator[TwoSides]:
    yield from two_sides(tmp_path, HALF)


# -- one direction


@pytest.mark.full
@pytest.mark.parametrize(
    ("direction", "written", "counts", "rest"),
    [
        ("to_wix", {"create on wix": 5}, (17, 12), {"create on external": 6}),
        ("to_external", {"create on external": 6}, (12, 18), {"create on wix": 5}),
    ],
)
def test_run_in_one_direction_leaves_the_rest_to_another_run(
    sides: TwoSides,
    direction: str,
    written: dict[str, int],
    counts: tuple[int, int],
    rest: dict[str, int],
) -> None:
    first = sides.reconcile("--direction", direction)
    assert (first["written"], sides.counts()) == (written, counts)
    pair = PAIRS["reconcile"]
    assert breaches(pair.of(first), pair.schema) == [], "as docs/api.md says"
    assert first["plan"]["outcomes"]["left (other direction)"] == sum(rest.values())
    assert sides.reconcile()["written"] == rest
    assert sides.counts() == (17, 18)


# -- deletes


@pytest.mark.full
def test_mass_delete_is_held_and_crosses_once_it_is_allowed(
    tmp_path: Path,
) -> None:
    """A mass delete is held with the command that allows it and allowed it crosses."""
    for sides in two_sides(tmp_path, Volume(each_side=32, conflicting=0, strangers=0)):
        sides.reconcile()
        with silently(sides.box):
            for rating_id in list(sides.box.reviews.ratings)[:21]:
                sides.box.reviews.remove(rating_id, by="visitor")
        assert sides.reconcile()["warnings"] == []
        braked = sides.reconcile()
        assert braked["written"] == {}
        assert "ratings-sync reconcile --allow-deletes 21" in braked["warnings"][0]
        fewer = sides.shell.bad("reconcile", "--yes", "--allow-deletes", "20")
        assert "the brake holds 21 deletes of site 1, not 20" in fewer
        assert sides.counts() == (48, 27), "nothing was released"
        assert sides.reconcile("--allow-deletes", "21")["written"] == {"delete on wix": 21}
        assert sides.counts() == (27, 27)


# -- the question


@pytest.mark.full
def test_declined_plan_writes_nothing(sides: TwoSides) -> None:
    seen = sides.at_terminal({"Go on?": "n\n"})
    assert (seen.status, sides.counts()) == (0, (12, 12))
    assert "create on wix" in seen.text
    assert "nothing was written" in seen.text


@pytest.mark.full
@pytest.mark.parametrize(("number", "status"), STOPS)
def test_signal_at_the_question_stops_and_the_same_command_goes_on(
    sides: TwoSides, number: signal.Signals, status: int
) -> None:
    seen = sides.at_terminal({"Go on?": number})
    assert (seen.status, sides.counts()) == (status, (12, 12))
    assert "the same command goes on from here" in seen.text
    assert "Traceback" not in seen.text
    assert sides.reconcile()["is_resumed"]


@pytest.mark.full
def test_confirmed_plan_is_carried_out_with_bars(
    sides: TwoSides,
) -> None:
    """A confirmed plan is carried out with bars that show rate and time left."""
    seen = sides.at_terminal({"Go on?": "y\n"})
    assert (seen.status, sides.counts()) == (0, (17, 18))
    for words in ("listing external", "listing wix", "planning", "bringing in step"):
        last = seen.text[seen.text.rindex(words) :].splitlines()[0]
        assert "?" not in last, "each bar ends full"
        assert "a minute" in last or words.startswith("listing")
        assert "0:00:00" in last
    assert "written: 6 × create on external, 5 × create on wix" in seen.text
    again = sides.at_terminal({})
    assert "nothing to write on either side" in again.text
    assert re.search(r"held already +1 ", again.text)
    assert "Go on?" not in again.text


def test_without_a_terminal_it_asks_for_yes_and_writes_nothing(sides: TwoSides) -> None:
    assert "add --yes, or look first with --dry-run" in sides.shell.bad("reconcile")
    assert sides.counts() == (12, 12)


def test_output_for_files_and_programs_has_no_bars(sides: TwoSides) -> None:
    words = sides.shell.run("reconcile", "--dry-run")
    assert (words.returncode, words.stderr) == (0, "")
    assert "\x1b" not in words.stdout
    document = sides.shell.run("reconcile", "--dry-run", "--json")
    assert document.stderr == ""
    assert len(document.stdout.splitlines()) == 1
    assert json.loads(document.stdout)["plan"]["writes"] == {
        "create on wix": 5,
        "create on external": 6,
    }


# -- stopping


@pytest.mark.full
@pytest.mark.parametrize(("number", "status"), STOPS)
def test_signal_ends_a_run_that_waits_for_its_budget(
    sides: TwoSides, number: signal.Signals, status: int
) -> None:
    sides.shell.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    seen = sides.at_terminal({"redis_away": number}, "--yes")
    assert (seen.status, sides.counts()) == (status, (12, 12))
    assert "the same command goes on from here" in seen.text


def test_paused_site_is_not_reconciled_and_says_how_to_go_on(sides: TwoSides) -> None:
    sides.shell.good("site", "pause")
    assert "ratings-sync site resume" in sides.shell.bad("reconcile", "--dry-run")


@pytest.mark.full
def test_what_workers_write_meanwhile_counts_too(tmp_path: Path) -> None:
    """A worker that takes what the run has queued leaves no gap in its counts."""
    for sides in two_sides(tmp_path, Volume(each_side=60, conflicting=0, strangers=0)):
        before = sides.counts()
        is_over, taken = threading.Event(), list[int]()
        thread = threading.Thread(target=work_beside, args=(sides.shell.environ, is_over, taken))
        thread.start()
        try:
            done = sides.reconcile()
        finally:
            is_over.set()
            thread.join()
        written = {
            "create on wix": sides.counts()[0] - before[0],
            "create on external": sides.counts()[1] - before[1],
        }
        assert taken, "the worker had a part in it"
        assert done["written"] == written
        assert sum(done["written_by_workers"].values()) > 0


def work_beside(environ: dict[str, str], is_over: threading.Event, taken: list[int]) -> None:
    """A worker that is quicker than the sweeper: it takes whatever is queued."""
    wiring = Wiring(load_settings(environ), environ)
    intake = wiring.intake(NoBell())
    queued = select(inbox.c.id).where(inbox.c.state == "new").order_by(inbox.c.id.desc()).limit(1)
    while not is_over.is_set():
        with wiring.admin.engine.connect() as connection:
            inbox_id = connection.execute(queued).scalar()
        if inbox_id is None:
            time.sleep(0.01)
        elif str(intake.process(inbox_id)) == "synced":
            taken.append(inbox_id)
    wiring.close()
