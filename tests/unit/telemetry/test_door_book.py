"""The door's book: counted in memory, written in batches, nothing lost while SQL is away."""

from __future__ import annotations

import pytest

from sync_worker.ledger.administration.door_counts import DoorNews, SourceNews
from sync_worker.telemetry.door_book import DoorBook


class Paper:
    """Takes what is written, unless it is away."""

    def __init__(self) -> None:
        self.written: list[DoorNews] = []
        self.is_away = False

    def write(self, news: DoorNews) -> None:
        if self.is_away:
            raise OSError("the ledger is away")
        self.written.append(news)


def test_what_comes_is_one_batch_of_counts_and_last_times() -> None:
    paper, now = Paper(), [100.0]
    book = DoorBook(paper.write, lambda: now[0])
    book.note("wix", "rejected", "expired")
    book.note("wix", "stored")
    now[0] = 103.0
    book.note("wix", "rejected", "InvalidSignatureError")
    book.note("wix", "rejected", "InvalidSignatureError")
    now[0] = 105.0
    book.flush()
    (news,) = paper.written
    assert news.counts == {
        ("wix", "rejected", "expired"): 1,
        ("wix", "stored", ""): 1,
        ("wix", "rejected", "InvalidSignatureError"): 2,
    }
    assert news.sources == [
        SourceNews("wix", 5.0, 2.0, "rejected", "InvalidSignatureError", 2, 2.0)
    ]


def test_nothing_new_writes_nothing() -> None:
    paper = Paper()
    book = DoorBook(paper.write)
    book.note("wix", "stored")
    book.flush()
    book.flush()
    assert len(paper.written) == 1


def test_what_could_not_be_written_is_written_with_the_next_batch() -> None:
    paper, now = Paper(), [100.0]
    book = DoorBook(paper.write, lambda: now[0])
    book.note("shop", "rejected", "bad_signature")
    paper.is_away = True
    with pytest.raises(OSError, match="away"):
        book.flush()
    now[0], paper.is_away = 110.0, False
    book.note("shop", "rejected", "bad_signature")
    book.note("wix", "duplicate")
    book.flush()
    (news,) = paper.written
    assert news.counts["shop", "rejected", "bad_signature"] == 2
    by_source = {one.source: one for one in news.sources}
    assert (by_source["shop"].refusals, by_source["shop"].refusing_for) == (2, 10.0)
    assert by_source["wix"].accepted_ago == 0.0


def test_accepted_after_a_failed_batch_ends_its_refusals() -> None:
    paper = Paper()
    book = DoorBook(paper.write)
    book.note("shop", "rejected", "bad_signature")
    paper.is_away = True
    with pytest.raises(OSError, match="away"):
        book.flush()
    book.note("shop", "stored")
    paper.is_away = False
    book.flush()
    (shop,) = paper.written[0].sources
    assert (shop.refusals, shop.refusing_for) == (0, None)
