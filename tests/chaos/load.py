"""A steady load: new ratings on both sides, each of which must be on both in the end and was
written once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from sync_sandbox.stage import Stage

PRODUCTS = {f"product-{number}": f"SKU-{number}" for number in range(20)}


class Load:
    """``with Load(stage, per_second=15): ...``; ``count``: how many ratings people have made."""

    def __init__(self, stage: Stage, per_second: float, people: int = 200) -> None:
        self.stage, self.count = stage, 0
        self._pause = 1 / per_second
        emails = [f"person{number}@example.com" for number in range(people)]
        sender = stage.box.wix.webhooks
        url, sender.url = sender.url, None  # people are known before webhooks go anywhere
        self._people = [(email, stage.add_person(email, "Person")) for email in emails]
        sender.url = url

    def rate(self) -> None:
        email, contact = self._people[self.count % len(self._people)]
        product = list(self.stage.products)[self.count // len(self._people)]
        if self.count % 2:
            self.stage.rate_on_wix(contact, product, 80)
        else:
            self.stage.rate_on_external(email, "Person", product, Decimal(2))
        self.count += 1

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """People rate until the block ends."""
        is_over = threading.Event()

        def flow() -> None:
            while not is_over.wait(self._pause):
                self.rate()

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def assert_all_followed(self, timeout_seconds: float = 60.0) -> float:
        """Everything on both sides, each written once, nothing open or held; seconds until then."""
        stage, started = self.stage, time.monotonic()
        assert stage.box.flush(timeout_seconds), (
            "a webhook finds no open door"
        )  # senders rest for minutes otherwise
        followed = stage.wait_until(
            lambda: stage.is_quiet() and len(stage.rated()) == self.count, timeout_seconds
        )
        assert followed, (stage.status(), stage.writes(), self.count)
        assert stage.differences() == []
        assert stage.status().held == {}
        assert stage.writes() == {"visitor": self.count, "app": self.count}
        return time.monotonic() - started
