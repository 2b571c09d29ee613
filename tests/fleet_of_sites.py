"""A fleet that serves many sites: PostgreSQL, gateway and worker processes, and accounts that come
and go while it runs; as tests and benchmarks use it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType

import requests

from sync_sandbox.many_sites import SOLD_AS, ManySite, ManySites
from sync_worker.config import load_settings
from sync_worker.core.values import Account, Site
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.runtime.local.free_port import free_port
from sync_worker.wiring import Wiring, installation

ACTOR = "script"
SERVED_SECONDS = 60.0  # from an account's creation to its first rating both ways
EVERYBODY = "ada@example.com"  # rates in each shop


@dataclass
class Served:
    """A site with its account. ``seconds``: from its creation until it had served both ways."""

    shop: ManySite
    site: Site
    account: Account
    given_at: float
    seconds: float | None = None


@dataclass
class FleetOfSites:
    """``with FleetOfSites(folder, environ, url) as fleet: fleet.add()``."""

    folder: Path
    environ: Mapping[str, str]
    database_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    say: Callable[[str, str], None] = lambda name, line: None
    flower_port: int | None = None
    served: list[Served] = field(default_factory=list)
    _visitors: int = 100_000

    def __enter__(self) -> FleetOfSites:
        self.many = ManySites(sender_threads=8)
        try:
            self._start()
        except BaseException:
            self.many.stop()
            raise
        return self

    def _start(self) -> None:
        for name, text in self.many.manifests().items():
            (self.folder / name).write_text(text)
        self.everything = {
            **self.environ,
            **self.many.settings(str(self.folder)),
            "RATINGS_SYNC_HOME": str(self.folder),
            "DATABASE_URL": self.database_url,
            "GATEWAY_BIND": f"127.0.0.1:{free_port()}",
            "GATEWAY_PROCESSES": "2",
            "SECRETS_KEY": new_key(),
            "LOG_LEVEL": "WARNING",
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
            **self.settings,
        }
        self.parts = installation(
            self.everything,
            self.say,
            workers=self.workers,
            flower_port=self.flower_port,
            folder=self.folder,
        )
        _ = self.wiring.ledger
        self.parts.start()
        self.many.send_webhooks_to(self.parts.gateway_url)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.parts.stop()
        self.wiring.close()
        self.many.stop()

    @cached_property
    def wiring(self) -> Wiring:
        return Wiring(load_settings(self.everything), self.everything)

    # -- what an owner does

    def add(self) -> Served:
        """A site is installed, given its account, mapped, and its shop calls us."""
        shop = self.many.add()
        admin, accounts = self.wiring.admin, self.wiring.accounts
        site, _ = admin.sites.add(shop.wix.instance_id, "", ())
        account = accounts.add(site, shop.connector, self._given(shop), ACTOR)
        served = Served(shop, site, account, time.monotonic())
        admin.mappings.import_entities(admin.sites.find(str(site.id)), [shop.pair])
        shop.platform.connect(self.address_of(account.public_id, shop))
        self.served.append(served)
        return served

    def _given(self, shop: ManySite) -> dict[str, str]:
        code = self.wiring.connectors.code_of(shop.connector).code
        names = {one.name: one.name_in_environment(code.id) for one in code.settings}
        given = shop.environment
        return {name: given[variable] for name, variable in names.items() if variable in given}

    def address_of(self, address: str, shop: ManySite) -> str:
        return f"{self.parts.gateway_url}/webhooks/external/{shop.connector}/{address}"

    def account_of(self, one: Served) -> Account:
        found = self.wiring.accounts.store.by_public_id(one.account.public_id)
        assert found is not None
        return found

    def pause(self, one: Served) -> None:
        self.wiring.accounts.pause(self.account_of(one), "holidays", ACTOR)

    def resume(self, one: Served) -> None:
        self.wiring.accounts.resume(self.account_of(one), ACTOR)

    def revoke(self, one: Served) -> None:
        self.wiring.accounts.revoke(self.account_of(one), "moved away", ACTOR)

    def rotate(self, one: Served) -> None:
        """The shop calls the new address from now on; what is on its way to the old one arrives."""
        fresh = self.wiring.accounts.rotate_address(self.account_of(one), ACTOR)
        one.shop.platform.forget_hooks()
        one.shop.platform.connect(self.address_of(fresh, one.shop))

    # -- what visitors do

    def rate_both_ways(self, one: Served, round_: int = 0) -> None:
        """Somebody whom each shop has, and somebody whom no other shop has."""
        number = one.shop.number + round_
        everybody = f"{round_}.{EVERYBODY}" if round_ else EVERYBODY
        one.shop.rate_on_wix(everybody, 1 + number % 5)
        one.shop.rate_outside(f"visitor{round_}@shop{one.shop.number}.example.com", 5 - number % 5)

    def add_all(self, count: int, per_second: float | None = None) -> float:
        """So many accounts, each of which is rated in at once; seconds until all were added.

        ``per_second``: no more than so many; ``None``: as fast as they can be added.
        """
        started = time.monotonic()
        with self._noting():
            for number in range(count):
                if per_second is not None:
                    time.sleep(max(0.0, started + number / per_second - time.monotonic()))
                self.rate_both_ways(self.add())
            added = time.monotonic() - started
            wait_for(lambda: all(one.seconds for one in self.served), 2 * SERVED_SECONDS)
        return added

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Notes when each site has served its first rating both ways."""
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(0.2):
                for one in [one for one in list(self.served) if one.seconds is None]:
                    if one.shop.expected and one.shop.is_as_expected():
                        one.seconds = time.monotonic() - one.given_at

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    # -- how long it takes

    def latencies(
        self,
        among: Sequence[Served],
        seconds: float,
        per_second: float,
        beside: Sequence[tuple[Served, float]] = (),
    ) -> list[float]:
        """Seconds from each rating on Wix until it is outside.

        ``among``: whose, in turn. ``beside``: where so many more ratings a second are made.
        """
        until, times = time.monotonic() + seconds, list[float]()
        started: dict[tuple[int, str], float] = {}
        flows = [
            threading.Thread(target=self._rate, args=([one], rate, until)) for one, rate in beside
        ]
        flows.append(threading.Thread(target=self._rate, args=(among, per_second, until, started)))
        for flow in flows:
            flow.start()
        shops = {one.shop.number: one.shop for one in among}
        while time.monotonic() < until + SERVED_SECONDS and (started or time.monotonic() < until):
            for (number, email), at in list(started.items()):
                if shops[number].platform.of(SOLD_AS, email):
                    times.append(time.monotonic() - at)
                    del started[number, email]
            time.sleep(0.004)
        for flow in flows:
            flow.join()
        assert started == {}, "ratings that did not cross in time"
        return times

    def _rate(
        self,
        among: Sequence[Served],
        per_second: float,
        until: float,
        started: dict[tuple[int, str], float] | None = None,
    ) -> None:
        while time.monotonic() < until:
            self._visitors += 1
            one, email = among[self._visitors % len(among)], f"visitor{self._visitors}@example.com"
            if started is not None:
                started[one.shop.number, email] = time.monotonic()
            one.shop.rate_on_wix(email, 3)
            time.sleep(1 / per_second)

    # -- what a stranger does

    def forged(self, victims: Sequence[Served], forgers: Sequence[Served]) -> list[int]:
        """The answers to webhooks of each victim that were signed with another shop's secret."""
        answers = []
        for victim, forger in zip(victims, forgers, strict=True):
            sender = self.many.senders[type(forger.shop.platform)]
            own = self.address_of(forger.account.public_id, forger.shop)
            sent = next(
                one
                for one in reversed(sender.sent)
                if one.address("").startswith(own) and one.sign()[0] and "ping" not in one.event_id
            )
            body, headers = sent.sign()
            address = sent.address("").replace(forger.account.public_id, victim.account.public_id)
            answer = requests.post(address, data=body, headers=dict(headers), timeout=5)
            answers.append(answer.status_code)
        return answers

    def post_to(self, one: Served) -> int:
        """The answer to anything at all at the address of an account."""
        address = self.address_of(one.account.public_id, one.shop)
        return requests.post(address, data=b"{}", timeout=5).status_code

    def secrets(self) -> list[str]:
        """Of all accounts, the key that seals them, and tokens that were given for them."""
        given = [
            value
            for one in self.served
            for name, value in one.shop.environment.items()
            if name not in ("WOO_BASE_URL", "BC_STORE_HASH")
        ]
        tokens = [token for one in self.served for token in one.shop.wix._tokens]
        return [*given, *tokens, self.everything["SECRETS_KEY"]]

    # -- the oracle

    def differences(self, without: Sequence[Served] = ()) -> dict[int, object]:
        """Sites that do not show on both sides exactly what was rated there, once each."""
        return {
            one.shop.number: (one.shop.shown(), one.shop.expected, one.shop.written())
            for one in self.served
            if one not in without
            and not (one.shop.is_as_expected() and one.shop.written() == len(one.shop.expected))
        }

    def crossed(self) -> list[tuple[int, str]]:
        """What a site shows, on either side, that nobody rated there so."""
        return [
            (one.shop.number, email)
            for one in self.served
            for email, (value, stars) in one.shop.shown().items()
            if (value, stars) != one.shop.expected.get(email)
            and not _is_half(one.shop.expected.get(email), value, stars)
        ]


def _is_half(expected: tuple[int, int] | None, value: int | None, stars: int | None) -> bool:
    """Whether one side shows what was rated, and the other one nothing yet."""
    return expected is not None and (value, stars) in ((expected[0], None), (None, expected[1]))


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False
