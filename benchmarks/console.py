"""How fast the console's pages are over a large ledger, and what its users cost the gateway."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import requests

from benchmarks.charts import Bars
from benchmarks.console_fill import Filling, fill_console
from benchmarks.console_pages import BIG, pages_of_operator, pages_of_owner
from benchmarks.console_plans import Asked, noted_of
from benchmarks.gateway import CONNECTOR, signed_webhooks, wait_until_it_answers
from benchmarks.ground import Ground, ground
from benchmarks.load import post_all
from benchmarks.report import Section, Table, at_least, at_most
from sync_console.app import create_app
from sync_sandbox.wix.state import WixState
from sync_worker.config import load_settings
from sync_worker.ledger.access.sessions import OwnerOf
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.ledger.database import open_engine
from sync_worker.runtime.local.commands import console_command, gateway_command
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Processes
from sync_worker.services.access.who import COMMAND, Role
from sync_worker.wiring.console import ConsoleParts

PROMISED_MS = 300
PROMISED_SHARE = 0.95
SLOWEST = 10  # pages, with the plan of the slowest statement of each
PLAN_LINES = 25
USERS = 3
LOOK_EVERY_SECONDS = 2.0  # a busy user opens the next page
BUSY_PAGES = ("/", "/held", "/held/unknown_entity", "/ratings?q=Hanna", "/activity", "/sites")


@dataclass(frozen=True, slots=True)
class Size:
    """``requests``: of each page; ``webhooks``: in each turn, alone and beside users."""

    filling: Filling = field(default_factory=Filling)
    requests: int = 15
    webhooks: int = 6000
    turns: int = 5


QUICK = Size(Filling(50, 5_000, 500), 2, 60, 1)


@dataclass(frozen=True, slots=True)
class PageCost:
    """Of one page: milliseconds until its first byte, at the median and the longest."""

    name: str
    path: str
    milliseconds: float
    longest: float
    statements: int


@dataclass(frozen=True, slots=True)
class Figures:
    """``plans``: by page, of its slowest statement; ``alone``, ``beside``: webhooks a second."""

    pages: Sequence[PageCost]
    plans: Mapping[str, Sequence[str]]
    alone: Sequence[float]
    beside: Sequence[float]


class Entered:
    """The console over a filled ledger: a server of its own, and an operator and an owner in it."""

    def __init__(self, url: str, parts: ConsoleParts) -> None:
        self.url, self.parts = url, parts
        self._app = create_app(parts)
        self._secrets = self._app.extensions["console_secrets"]
        self._person = parts.access.people.invite(COMMAND, "kim", Role.ADMIN).person.id

    def cookie(self, is_owner: bool = False) -> tuple[str, str]:
        """Name and value, of a new session."""
        sessions = self.parts.access.sessions
        if not is_owner:
            return self._secrets.cookie, sessions.begin(self._person)
        code = sessions.begin_for_owner(OwnerOf(BIG, "instance-0", "uid"))
        return self._secrets.owner_cookie, sessions.take_over(code) or ""

    def browser(self, is_owner: bool = False) -> requests.Session:
        """Keeps its connection, as browsers do."""
        browser = requests.Session()
        browser.cookies.set(*self.cookie(is_owner))
        return browser

    def asked(self, path: str, is_owner: bool) -> tuple[int, list[Asked]]:
        """How many statements a page takes, and those that read, the slowest first."""
        client = self._app.test_client()
        host = urlsplit(self.url).hostname or ""
        name, value = self.cookie(is_owner)
        client.set_cookie(name, value, domain=host)
        noted = noted_of(self.parts.transactions.engine, client, f"{self.url}{path}")
        return len(noted.asked), noted.looks


def measure(size: Size) -> Figures:
    """Raises RuntimeError if a server does not start, or a page is not shown."""
    with ground("postgresql") as at, ExitStack() as stack:
        engine = open_engine(at.database_url)
        fill_console(engine, size.filling)
        wix = WixState()
        environ = at.environ(
            WIX_PUBLIC_KEY=wix.public_key.replace("\n", "\\n"), WIX_APP_ID=wix.app_id, **CONNECTOR
        )
        entered = stack.enter_context(_console(at, environ))
        by_owner = {name: (path, True) for name, path in pages_of_owner().items()}
        pages = {name: (path, False) for name, path in pages_of_operator(size.filling).items()}
        costs, plans = measure_pages(entered, pages | by_owner, size.requests)
        alone, beside = _gateway_in_turns(at, environ, entered, wix, size)
        engine.dispose()
        return Figures(costs, plans, alone, beside)


@contextmanager
def _console(at: Ground, environ: Mapping[str, str]) -> Iterator[Entered]:
    url = f"http://127.0.0.1:{free_port()}"
    bind = urlsplit(url).netloc
    environ = {**environ, "CONSOLE_BIND": bind, "CONSOLE_PUBLIC_URL": url, "SECRETS_KEY": new_key()}
    lines: list[str] = []
    with Processes(lambda who, line: lines.append(f"{who} | {line}"), at.folder) as processes:
        child = processes.start("console", console_command(), environ)
        wait_until_it_answers("console", f"{url}/healthz", child, lines)
        parts = ConsoleParts(load_settings(environ), environ)
        try:
            yield Entered(url, parts)
        finally:
            parts.close()


def measure_pages(
    entered: Entered, pages: Mapping[str, tuple[str, bool]], times: int
) -> tuple[list[PageCost], dict[str, list[str]]]:
    """All pages in turns; then what the database does for the slowest."""
    browsers = {is_owner: entered.browser(is_owner) for is_owner in (False, True)}
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for round_ in range(times + 1):
        for name, (path, is_owner) in pages.items():
            milliseconds = first_byte_ms(browsers[is_owner], f"{entered.url}{path}")
            if round_:  # the first one opens connections and fills caches
                taken[name].append(milliseconds)
    costs, looks = [], {}
    for name, (path, is_owner) in pages.items():
        statements, looks[name] = entered.asked(path, is_owner)
        middle, longest = statistics.median(taken[name]), max(taken[name])
        costs.append(PageCost(name, path, middle, longest, statements))
    costs.sort(key=lambda cost: -cost.milliseconds)
    engine = entered.parts.transactions.engine
    plans = {cost.name: looks[cost.name][0].plan(engine) for cost in costs[:SLOWEST]}
    return costs, plans


def first_byte_ms(browser: requests.Session, url: str) -> float:
    """Until the head of the answer is there. Raises RuntimeError unless the page is shown."""
    with browser.get(url, stream=True, allow_redirects=True, timeout=60) as answer:
        milliseconds = sum(one.elapsed.total_seconds() for one in [*answer.history, answer]) * 1000
        _ = answer.content
    if answer.status_code != 200 or "/login" in answer.url:
        raise RuntimeError(f"{url} was answered {answer.status_code} at {answer.url}")
    return milliseconds


def _gateway_in_turns(
    at: Ground, environ: Mapping[str, str], entered: Entered, wix: WixState, size: Size
) -> tuple[list[float], list[float]]:
    """Webhooks a second, alone and beside busy users, in turns."""
    bodies = signed_webhooks(wix)
    alone, beside = list[float](), list[float]()
    bind, lines = f"127.0.0.1:{free_port()}", list[str]()
    home = str(at.folder / "gateway")
    with Processes(lambda who, line: lines.append(f"{who} | {line}"), at.folder) as processes:
        environ = {**environ, "GATEWAY_BIND": bind, "RATINGS_SYNC_HOME": home}
        child = processes.start("gateway", gateway_command(), environ)
        url = f"http://{bind}/webhooks/wix"
        wait_until_it_answers("gateway", url, child, lines)
        post_all(url, [next(bodies) for _ in range(64)], 8)
        for _ in range(size.turns):
            alone.append(post_all(url, [next(bodies) for _ in range(size.webhooks)], 8).each_second)
            with _busy_users(entered):
                some = [next(bodies) for _ in range(size.webhooks)]
                beside.append(post_all(url, some, 8).each_second)
    return alone, beside


@contextmanager
def _busy_users(entered: Entered) -> Iterator[None]:
    """Each opens a page every two seconds, and is at its own pace."""
    is_over, failed = threading.Event(), list[Exception]()

    def look(number: int) -> None:
        browser, due = entered.browser(), time.monotonic() + number * LOOK_EVERY_SECONDS / USERS
        place = number * 2
        while not is_over.wait(max(0.0, due - time.monotonic())):
            due += LOOK_EVERY_SECONDS
            try:
                first_byte_ms(browser, f"{entered.url}{BUSY_PAGES[place % len(BUSY_PAGES)]}")
            except (RuntimeError, requests.RequestException) as error:
                failed.append(error)
                return
            place += 1

    users = [threading.Thread(target=look, args=(number,)) for number in range(USERS)]
    for user in users:
        user.start()
    try:
        yield
    finally:
        is_over.set()
        for user in users:
            user.join()
    if failed:
        raise failed[0]


def run(size: Size) -> Section:
    return section(measure(size), size)


def section(figures: Figures, size: Size) -> Section:
    of, slowest = size.filling, figures.pages[0]
    share = statistics.median(
        beside / alone for alone, beside in zip(figures.alone, figures.beside, strict=True)
    )
    return Section(
        "console",
        "The pages of the console, and its users beside the gateway",
        f"PostgreSQL with {of.sites:,} sites, {of.links:,} links with a line of history and an"
        f" ended delivery each, {of.held:,} held deliveries; one of ten ratings is of the largest"
        f" shop, whose owner asks, too. Every page {size.requests} times in turns from the console"
        " as it is served, until its first byte. Then the gateway gets"
        f" {size.webhooks:,} webhooks in each of {size.turns} turns, alone and beside {USERS} users"
        f" who open a page every {LOOK_EVERY_SECONDS:.0f} s each; the median of the ratios.",
        [
            at_most(
                f"the slowest page ({slowest.name}), median",
                PROMISED_MS,
                slowest.milliseconds,
                "ms",
            ),
            at_least("gateway beside three busy users", PROMISED_SHARE, share, "× alone"),
        ],
        _tables(figures),
        [
            Bars(
                "console",
                "First byte of the slowest pages",
                "milliseconds",
                {page.name: page.milliseconds for page in figures.pages[:20]},
                PROMISED_MS,
            )
        ],
        figures=asdict(figures),
    )


def _tables(figures: Figures) -> list[Table]:
    """Of every page, of the gateway alone and beside users, and of the slowest statements."""
    pages = [
        (
            page.name,
            page.path,
            f"{page.milliseconds:.0f} ms",
            f"{page.longest:.0f} ms",
            str(page.statements),
        )
        for page in figures.pages
    ]
    beside = [
        (f"{alone:,.0f}", f"{beside:,.0f}")
        for alone, beside in zip(figures.alone, figures.beside, strict=True)
    ]
    plans = [
        Table((f"the slowest statement of: {name}",), [(line,) for line in plan[:PLAN_LINES]])
        for name, plan in figures.plans.items()
    ]
    return [
        Table(("page", "address", "median", "longest", "statements"), pages),
        Table(("webhooks a second, alone", "beside users"), beside),
        *plans,
    ]
