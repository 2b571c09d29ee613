"""Listings page by page: every kind goes on where it stopped, and none that was cut looks
complete.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.errors import Permanent
from sync_worker.manifest.paging.pagination import ListingAnswer, next_place, page_query
from sync_worker.manifest.paging.places import Place, parent_place_of, place_of, place_text
from sync_worker.manifest.schema.calls import Pagination

ROWS = [{"id": number} for number in range(7)]


def walk(
    paging: Pagination, answers: list[tuple[list[Any], Any, dict[str, str]]]
) -> list[dict[str, str]]:
    """The queries that a listing asks, each from the text that the page before left."""
    queries, cursor = [], place_text(Place())
    for items, body, headers in answers:
        place = place_of(cursor)
        queries.append(page_query(paging, place))
        following = next_place(paging, place, ListingAnswer(items, body, headers))
        if following is None:
            return queries
        cursor = place_text(following)
    return [*queries, page_query(paging, place_of(cursor))]


def test_numbered_pages_end_with_the_announced_total() -> None:
    paging = Pagination(kind="page", size=3, total_pages_header="X-Total-Pages")
    answers: list[Any] = [(ROWS[at : at + 3], None, {"X-Total-Pages": "3"}) for at in (0, 3, 6)]
    assert walk(paging, answers) == [{"per_page": "3", "page": str(number)} for number in (1, 2, 3)]


def test_numbered_pages_without_a_total_end_with_an_empty_page() -> None:
    """Numbered pages without a total end with an empty page, not with a short one."""
    paging = Pagination(kind="page", param="p", size_param="n", size=100, start=0)
    assert walk(paging, [(ROWS[:3], None, {}), (ROWS[3:], None, {}), ([], None, {})]) == [
        {"n": "100", "p": str(number)} for number in (0, 1, 2)
    ]


def test_offsets_grow_by_the_rows_that_came() -> None:
    paging = Pagination.model_validate({"kind": "offset", "size": 4, "total_path": "total"})
    answers: list[Any] = [(ROWS[:4], {"total": 7}, {}), (ROWS[4:], {"total": 7}, {})]
    assert walk(paging, answers) == [{"limit": "4", "offset": "0"}, {"limit": "4", "offset": "4"}]


def test_cursor_is_carried_on_until_there_is_none() -> None:
    paging = Pagination.model_validate(
        {"kind": "cursor", "next_path": "next", "size_param": "limit", "size": 2}
    )
    answers: list[Any] = [(ROWS[:2], {"next": "c2"}, {}), (ROWS[2:], {"next": None}, {})]
    assert walk(paging, answers) == [{"limit": "2"}, {"limit": "2", "cursor": "c2"}]


@pytest.mark.parametrize(
    "header",
    [
        '<https://x.example/r?page=2>; rel="next"',
        '<https://x.example/r?page=1>; rel="prev", <https://x.example/r?page=2>; rel="next last"',
        "<https://x.example/r?page=2>; rel=next; title=x",
    ],
)
def test_next_link_is_found_in_the_header(header: str) -> None:
    following = next_place(
        Pagination(kind="next_link"), Place(), ListingAnswer(ROWS, None, {"Link": header})
    )
    assert following is not None
    assert following.at == "https://x.example/r?page=2"


def test_last_page_has_no_next_link() -> None:
    for headers in ({}, {"Link": '<https://x.example/r>; rel="nextish"'}, {"Link": "rubbish"}):
        assert (
            next_place(Pagination(kind="next_link"), Place(), ListingAnswer(ROWS, None, headers))
            is None
        )


CUT: dict[str, tuple[dict[str, Any], Place, list[Any], Any, str]] = {
    "same rows again": (
        {"kind": "page"},
        Place(1, 7, last="4f53cda18c2baa0c"),
        ROWS,
        None,
        "paging_repeats",
    ),
    "same cursor again": (
        {"kind": "cursor", "next_path": "next"},
        Place(1, 7, at="c"),
        ROWS,
        {"next": "c"},
        "paging_repeats",
    ),
    "more pages than allowed": (
        {"kind": "page", "max_pages": 2},
        Place(1, 7),
        ROWS,
        None,
        "paging_too_long",
    ),
    "end before the total": (
        {"kind": "offset", "total_path": "total"},
        Place(1, 4),
        [],
        {"total": 9},
        "listing_cut",
    ),
}


@pytest.mark.parametrize("case", sorted(CUT))
def test_listing_that_was_cut_never_looks_complete(case: str) -> None:
    keys, place, items, body, reason = CUT[case]
    paging = Pagination.model_validate(keys)
    if case == "same rows again":
        first = next_place(paging, Place(), ListingAnswer(items, body, {}))
        assert first is not None
        place = first
    with pytest.raises(Permanent, match=r"check pagination\.\w+ of the manifest") as cut:
        next_place(paging, place, ListingAnswer(items, body, {}))
    assert cut.value.reason == reason


def test_page_is_known_again_by_its_ids_whatever_else_changes() -> None:
    """In any order, with other contents, and after another page in between."""
    paging = Pagination(kind="page")
    place: Place | None = Place()
    for ids in (["1", "2"], ["3", "4"]):
        assert place is not None
        place = next_place(paging, place, a_page(ids, views=len(ids)))
    assert place is not None
    with pytest.raises(Permanent, match=r"the parameter page; check pagination\.param"):
        next_place(paging, place, a_page(["2", "1"], views=7))


def a_page(ids: list[str], views: int) -> ListingAnswer:
    return ListingAnswer([{"id": one, "views": views} for one in ids], None, {}, ids)


@given(
    st.text(max_size=60)
    | st.sampled_from(['{"left": [1], "child": {"pages": "x"}}', '{"pages": 1}', "[]", "null"])
)
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    for read in (place_of, parent_place_of):
        with pytest.raises(Permanent):
            read(text)
