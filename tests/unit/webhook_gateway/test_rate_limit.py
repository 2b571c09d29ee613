"""The count of refused webhooks: by sender, by minute, in bounded memory."""

from __future__ import annotations

from webhook_gateway.rate_limit import MAX_SENDERS, RejectionLimit, sender_of


def test_count_grows_within_a_minute_and_begins_anew_after_it() -> None:
    now = [0.0]
    limit = RejectionLimit(3, clock=lambda: now[0])
    assert [limit.count("192.0.2.1") for _ in range(4)] == [1, 2, 3, 4]
    now[0] = 59.9
    assert limit.count("192.0.2.1") == 5
    now[0] = 60.0
    assert limit.count("192.0.2.1") == 1


def test_senders_are_counted_apart() -> None:
    limit = RejectionLimit(3)
    assert [limit.count(one) for one in ("192.0.2.1", "192.0.2.2", "192.0.2.1", None)] == [
        1,
        1,
        2,
        1,
    ]


def test_forger_of_one_account_does_not_silence_another() -> None:
    """Behind a proxy all senders have one address."""
    limit = RejectionLimit(3)
    for _ in range(100):
        limit.count("192.0.2.1", "shop-1")
    assert limit.count("192.0.2.1", "shop-2") == 1


def test_addresses_of_one_ipv6_network_are_one_sender() -> None:
    assert sender_of("2001:db8::1") == sender_of("2001:db8::2:3:4:5") == "2001:db8::/64"
    assert sender_of("2001:db8:0:1::1") == "2001:db8:0:1::/64"


def test_memory_is_bounded_and_the_busy_sender_is_kept() -> None:
    limit = RejectionLimit(3)
    for number in range(MAX_SENDERS + 500):
        limit.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        if number % 100 == 0:
            limit.count("192.0.2.1")
    assert len(limit) == MAX_SENDERS
    assert limit.count("192.0.2.1") > 100
