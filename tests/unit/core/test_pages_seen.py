"""Pages of a listing that must go on, or end."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.core.pages_seen import PagesSeen


def test_page_that_shows_only_known_rows_ends_the_listing() -> None:
    """Also after others in between, and in another order."""
    seen = PagesSeen("the list")
    seen.add(["1", "2"])
    seen.add(["2", "3"])
    with pytest.raises(Permanent, match="the list: a page shows only rows of earlier") as ended:
        seen.add(["3", "1"])
    assert ended.value.reason == "paging_repeats"


def test_empty_pages_go_on_until_there_are_too_many() -> None:
    seen = PagesSeen("the list", max_pages=4)
    for _ in range(3):
        seen.add([])
    with pytest.raises(Permanent, match="more than 4 pages") as ended:
        seen.add([])
    assert ended.value.reason == "paging_too_long"
