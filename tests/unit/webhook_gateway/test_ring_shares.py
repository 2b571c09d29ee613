"""Whose turn it is at the doorbell."""

from __future__ import annotations

from webhook_gateway.ring_shares import MAX_SOURCES, MORE, SHARE, RingShares, Turn


def test_source_that_sends_much_comes_after_others_and_then_not_at_all() -> None:
    shares = RingShares(clock=lambda: 0.0)
    turns = [shares.turn_of("crowd", 1) for _ in range(int(SHARE + MORE) + 1)]
    assert turns[: int(SHARE)] == [Turn.FIRST] * int(SHARE)
    assert set(turns[int(SHARE) : -1]) == {Turn.AFTER_OTHERS}
    assert turns[-1] is Turn.LEFT
    assert shares.turn_of("another", 1) is Turn.FIRST


def test_share_of_a_source_comes_back_with_time() -> None:
    now = [0.0]
    shares = RingShares(clock=lambda: now[0])
    for _ in range(int(SHARE) + 1):
        shares.turn_of("shop", 1)
    now[0] = 4.0
    assert [shares.turn_of("shop", 1) for _ in range(5)] == [Turn.FIRST] * 4 + [Turn.AFTER_OTHERS]


def test_batch_larger_than_the_share_goes_first_once() -> None:
    shares = RingShares(clock=lambda: 0.0)
    assert shares.turn_of("shop", 500) is Turn.FIRST
    assert shares.turn_of("shop", 1) is Turn.AFTER_OTHERS


def test_memory_of_sources_is_bounded() -> None:
    shares = RingShares()
    for number in range(MAX_SOURCES + 500):
        shares.turn_of(f"shop-{number}", 1)
    assert len(shares) == MAX_SOURCES
