"""docs/architecture.md shows the rooms as the contracts of import-linter enforce them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
ROW = re.compile(r"^\| `(\w+)` \| .+ \| ([\w., ]+) \|$", re.MULTILINE)
ARROW = re.compile(r"^ +(\w+) (?:-- \S+ )?--> (\w+)$", re.MULTILINE)
ROOM_CONTRACT = re.compile(r"(\w+) imports of ours: (.+)")
ENTRY_POINTS = {"cli", "doctor", "tasks", "wiring", "config", "alive"}


def words(text: str) -> set[str]:
    return set() if text == "nothing" else set(text.split(", "))


TABLE = {room: words(allowed) for room, allowed in ROW.findall(PAGE)}
ENFORCED = {
    found[1]: contract for contract in CONTRACTS if (found := ROOM_CONTRACT.match(contract["name"]))
}


def test_table_names_the_rooms_that_have_a_contract() -> None:
    assert set(TABLE) == set(ENFORCED)


@pytest.mark.parametrize("room", ENFORCED)
def test_room_may_import_what_the_table_says(room: str) -> None:
    """By the contract's list, which counts, and by its name, which people read in a failure."""
    contract = ENFORCED[room]
    forbidden = {name.removeprefix("sync_worker.") for name in contract["forbidden_modules"]}
    assert rooms_of(TABLE[room]) == set(TABLE) - forbidden - {room}
    assert TABLE[room] == words(contract["name"].partition(": ")[2])


def rooms_of(names: set[str]) -> set[str]:
    """A part of a room is allowed by its name: ``remotes.wix``."""
    return {name.partition(".")[0] for name in names}


def test_no_room_imports_an_entry_point() -> None:
    (contract,) = (one for one in CONTRACTS if one["name"].startswith("entry points are imported"))
    sources = {
        name.removeprefix("sync_worker.").partition(".")[0] for name in contract["source_modules"]
    }
    assert sources == set(TABLE)
    assert {f"sync_worker.{name}" for name in ENTRY_POINTS} <= set(contract["forbidden_modules"])


def test_arrows_of_the_picture_are_the_reduced_table() -> None:
    """The arrows of the picture are the table without what follows from others."""
    arrows = {(room, other) for room, other in ARROW.findall(PAGE)}
    allowed = {(room, other) for room, others in TABLE.items() for other in rooms_of(others)}
    assert arrows <= allowed
    assert allowed <= _reachable(arrows)


def _reachable(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while True:
        longer = {(first, last) for first, via in arrows for again, last in arrows if via == again}
        if longer <= arrows:
            return arrows
        arrows = arrows | longer


def test_every_file_that_the_page_names_exists() -> None:
    """By its path from the root, from ``sync_worker`` or from ``webhook_gateway``."""
    named = set(re.findall(r"`([\w./]+(?:\.py|/))`", PAGE))
    places = [ROOT, ROOT / "sync_worker", ROOT / "webhook_gateway"]
    lost = {name for name in named if not any((place / name).exists() for place in places)}
    assert lost == set()
    assert len(named) > 30
