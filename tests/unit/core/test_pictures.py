"""Addresses of pictures out of whatever a system shows."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.values.pictures import MAX_ADDRESS, MAX_PICTURES, pictures_in

GOOD = "https://shop.example/a.jpg"


@pytest.mark.parametrize(
    "item",
    [
        None,
        "",
        0,
        True,
        4.5,
        b"https://shop.example/a.jpg",
        {"url": GOOD},
        [GOOD],
        "a.jpg",
        "//shop.example/a.jpg",
        "http://shop.example/a.jpg",
        "ftp://shop.example/a.jpg",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "wix:image://v1/a.jpg",
        "https://",
        "https:///a.jpg",
        "https://localhost/a.jpg",
        "https://./a.jpg",
        "https://user:secret@shop.example/a.jpg",
        "https://user@shop.example/a.jpg",
        "https://shop.example:port/a.jpg",
        "https://shop.example:99999/a.jpg",
        "https://[::1/a.jpg",
        "https://sh\u00f6p.example/a.jpg",
        "https://shop.example/a b.jpg",
        "https://shop.example/a\n.jpg",
        "https://shop.example/\x00.jpg",
        "https://shop.example/\u202egpj.a",
        "https://shop.example/\ud800.jpg",
        " https://shop.example/a.jpg",
        "https://shop.example/" + "a" * MAX_ADDRESS,
        "https://shop.example/" + "\u00e4" * (MAX_ADDRESS // 3),
    ],
)
def test_what_is_no_plain_https_address_is_left_out(item: Any) -> None:
    assert pictures_in(item if not isinstance(item, list) else [item]) == ()
    assert pictures_in([item, GOOD]) == (GOOD,)


def test_addresses_are_taken_once_each_and_a_few_at_most() -> None:
    assert pictures_in(GOOD) == (GOOD,)
    assert pictures_in([GOOD, GOOD]) == (GOOD,)
    many = [f"https://shop.example/{number}.jpg" for number in range(1_000)]
    assert pictures_in(many) == tuple(many[:MAX_PICTURES])
    # Nobody looks through millions of items for one.
    assert pictures_in([None] * 1_000 + [GOOD]) == ()


def test_letters_beyond_ascii_are_written_in_percents() -> None:
    assert pictures_in(["https://shop.example/gr\u00f6\u00dfe.jpg?a=%20&b=1"]) == (
        "https://shop.example/gr%C3%B6%C3%9Fe.jpg?a=%20&b=1",
    )
