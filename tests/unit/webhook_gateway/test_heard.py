"""What reaches the gateway is noted beside the requests, seldom enough, and never lost for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from webhook_gateway.heard import Heard


def eventually(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not is_so() and time.monotonic() < until:
        time.sleep(0.005)
    return is_so()


def test_greetings_and_deliveries_are_noted_seldom() -> None:
    noted, now = list[str](), [100.0]
    heard = Heard(noted.append, lambda: now[0])
    for _ in range(50):
        heard.greeting("shop")
    assert eventually(lambda: noted == ["shop"])
    assert eventually(lambda: not heard._waiting)  # its note is remembered a moment after
    heard.delivery("shop")
    heard.greeting("shop")
    now[0] += 1.5
    heard.delivery("shop")
    heard.greeting("shop")
    assert eventually(lambda: noted == ["shop", "shop"])
    heard.greeting("other")
    assert eventually(lambda: noted == ["shop", "shop", "other"])


def test_note_that_fails_is_made_with_the_next_request() -> None:
    noted = list[str]()
    is_down = [True]

    def note(source: str) -> None:
        if is_down[0]:
            raise OSError("the ledger is away")
        noted.append(source)

    heard = Heard(note)
    heard.delivery("shop")
    is_down[0] = False

    def is_noted() -> bool:
        heard.delivery("shop")
        return noted == ["shop"]

    assert eventually(is_noted)


def test_ledger_that_hangs_holds_up_no_request() -> None:
    gate, noted = threading.Event(), list[str]()

    def hangs(source: str) -> None:
        gate.wait(30)
        noted.append(source)

    heard = Heard(hangs)
    for number in range(100):
        heard.greeting(f"shop-{number % 3}")
    assert noted == [], "the requests waited for the ledger"
    gate.set()
