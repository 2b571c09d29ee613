"""Ids and words from outside are shown, and neither obeyed by a terminal nor a reason to crash; a
rating's history is found by whatever a person has at hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine

from sync_worker.core.outside_words import for_people
from sync_worker.core.values import Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    history,
    link,
    link_value,
    site,
)
from sync_worker.telemetry.logs import set_up_logs
from tests.commands import run_command
from tests.factories import a_delivery

pytestmark = pytest.mark.full

HOSTILE = {
    "end of markup": "[/x]",
    "markup": "[red]all is well[/red]",
    "escape sequence": "a\x1b[2Jb",
    "line end": "a\nb",
    "carriage return": "real\rfake",
    "backwards": "a\u202eb",
    "control of 8 bits": "a\x9b2Jb",
    "bell": "a\x07b",
}
SITE = {"state": "active", "policy": {}, "created_at": 1.0}
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


class Ground:
    """A ledger in a folder, and the commands on it."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.engine = folder, engine
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "300"}

    def run(self, *words: str, fails: bool = False) -> str:
        done = run_command(words, self.folder, self.environ)
        assert (done.returncode != 0) is fails, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def write(self, table: Any, *rows: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(table.insert(), list(rows))


@pytest.fixture
def ground(tmp_path: Path, sqlite_template: Path) -> Iterator[Ground]:
    (tmp_path / ".ratings-sync").mkdir()
    shutil.copy(sqlite_template, tmp_path / ".ratings-sync" / "ledger.db")
    engine = open_engine(f"sqlite:///{tmp_path}/.ratings-sync/ledger.db")
    yield Ground(tmp_path, engine)
    engine.dispose()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_id_is_shown_and_not_obeyed(kind: str, ground: Ground) -> None:
    """In tables, in the document for programs, and in lines of errors."""
    remote_id = HOSTILE[kind]
    ledger = sql_ledger(ground.engine)
    stored = ledger.inbox.store(a_delivery(remote_id=remote_id)).inbox_id
    ledger.inbox.hold([stored], "refused")
    ground.write(site, {"id": 1, "instance_id": "i", "connector": "c", **SITE})
    ground.write(history, {"site_id": 1, "at": 1.0, "what": "hold", "remote_id": remote_id})
    words = (["held"], ["held", "--json"], ["held", "show", str(stored), "--offline"])
    outputs = [ground.run(*one) for one in (*words, ["history"], ["history", "--json"])]
    assert not any(UNSEEN.search(output) for output in outputs)
    assert for_people(remote_id) in outputs[0]
    assert json.loads(outputs[1])[0]["remote_id"] == remote_id
    assert for_people(remote_id) in outputs[2]


def test_hostile_word_in_a_log_line_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("console", "INFO")
    try:
        for code in ("a\x1b[2Jb", "a\n[info] forged", "\x9b2J"):
            structlog.get_logger("test").info("outcome", code=code)
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 3
    assert not UNSEEN.search(said)


# -- history


@pytest.fixture
def rated(ground: Ground) -> Ground:
    """One rating of Ada on both sides, and one of Eve."""
    ground.write(site, {"id": 1, "instance_id": "i", "connector": "own-service", **SITE})
    ground.write(
        entity_map,
        {
            "id": 1,
            "site_id": 1,
            "wix_namespace": "reviews",
            "wix_group": "stores",
            "wix_entity_id": "beans",
            "external_group": "",
            "external_entity_id": "SKU-1",
        },
    )
    for number, name in enumerate(("ada", "eve"), start=1):
        write_rating(ground, number, name)
    return ground


def write_rating(ground: Ground, number: int, name: str) -> None:
    contact = {"wix_contact_id": f"contact-of-{name}", "email": f"{name}@example.com"}
    ground.write(contact_map, {"site_id": 1, **contact, "external_author_id": f"author-{name}"})
    outside = {"external_id": f"outside-{name}-0001", "external_state": "published"}
    rating = {"id": number, "site_id": 1, "entity_id": 1, "contact_id": f"contact-of-{name}"}
    ground.write(link, rating | outside)
    on_wix = {"attribute": "overall", "wix_id": f"{name}-076716da", "wix_state": "published"}
    ground.write(link_value, {"site_id": 1, "link_id": number, **on_wix})
    made = {"at": 1.0, "what": "create", "side": str(Side.WIX), "remote_id": f"{name}-076716da"}
    ground.write(history, {"site_id": 1, "link_id": number, **made})


@pytest.mark.parametrize(
    "word",
    [
        *("ada-076716da", "ada-0767", "outside-ada-0001", "outside-ada"),
        *("ada@example.com", " ADA@Example.com", "author-ada", "contact-of-ada"),
    ],
)
def test_history_is_found_by_what_a_person_has_at_hand(word: str, rated: Ground) -> None:
    lines = json.loads(rated.run("history", word, "--json"))
    assert [line["link"] for line in lines] == [1]
    assert "ada-0767" in rated.run("history", word)


def test_history_of_a_product_has_all_its_ratings(rated: Ground) -> None:
    for word in ("beans", "SKU-1"):
        assert [line["link"] for line in json.loads(rated.run("history", word, "--json"))] == [1, 2]


@pytest.mark.parametrize("word", ["nobody@example.com", "ada%", "____", "x", "[/x]"])
def test_history_of_nothing_is_a_sentence_and_status_1(word: str, rated: Ground) -> None:
    said = rated.run("history", word, fails=True)
    assert said.startswith(f"there is no history of '{word}': an id of either side")
    assert rated.run("history", "--link", "7", fails=True).startswith("there is no history of link")
