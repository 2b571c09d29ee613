"""The pictures in README and docs: each is small, is shown somewhere, and its page is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.rating_ground import RatingGround
from tests.picturing import MAX_BYTES, PICTURES

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "pictures"
PNG = b"\x89PNG\r\n"


@pytest.fixture
def ground(sqlite_url: str) -> Iterator[Ground]:
    """With a site and a rating, as the demo has."""
    with ground_over(sqlite_url) as made:
        RatingGround(made.parts.transactions.engine)
        yield made


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_there_and_small(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    assert content.startswith(PNG)
    assert len(content) <= MAX_BYTES, "take it anew, smaller: make pictures"


def test_pictures_are_those_that_are_shown() -> None:
    shown = set()
    for page in (ROOT / "README.md", ROOT / "docs" / "console.md"):
        shown |= set(re.findall(r"pictures/(console-[a-z]+\.png)", page.read_text()))
    assert shown == set(PICTURES) == {file.name for file in FOLDER.glob("*.png")}


def test_page_of_each_picture_is_there(ground: Ground) -> None:
    admin = ground.client(Role.ADMIN)
    answers = {path: admin.get(path).status_code for path in PICTURES.values() if path}
    assert answers == dict.fromkeys(answers, 200)
