"""``ratings-sync demo``: plays the story, or a replay, in the terminal, and says how it ended."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sync_sandbox.replay import Replay, products_of, read_ratings
from sync_sandbox.server import SandboxOptions
from sync_sandbox.stage import Rated, Stage
from sync_sandbox.story import PRODUCTS, STEP_SECONDS, STORY_RETRY_SCALE, Check, Step, Story
from sync_sandbox.wix_side import Words
from sync_worker.core.values import WixKind
from sync_worker.wiring.console_entry import way_in

BUDGET = 60_000.0  # calls a minute, at both ends: a replay measures the machine, not Wix's limit
SHOWN_SECONDS = 0.5  # after so long a terminal shows both sides anew


@contextmanager
def _stage(stage: Stage, console: Console, lines: deque[str]) -> Iterator[Stage]:
    """The stage, up; what its processes said is shown if something breaks."""
    try:
        with stage:
            yield stage
    except BaseException:
        for line in lines:
            console.print(Text(line, style="dim"))
        raise


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="ratings-sync-demo-"))


def play(environ: Mapping[str, str], *, once: bool, console: Console | None = None) -> bool:
    """The story, told on ``console``, default the terminal. Returns whether the verdict is good."""
    console, folder, lines = console or Console(), _folder(), deque[str](maxlen=40)
    try:
        console.print(
            "Starting a stand-in Wix, a stand-in review service, Redis, gateway, worker and"
            " scheduler …"
        )
        stage = Stage(
            folder,
            environ,
            PRODUCTS,
            options=SandboxOptions(retry_scale=STORY_RETRY_SCALE, has_dashboard=not once),
            with_console=not once,
            say=lambda name, line: lines.append(f"{name} | {line}"),
        )
        with _stage(stage, console, lines):
            story = Story(stage)
            _tell(story, console)
            good = _print_verdict(console, story.verdict())
            _print_addresses(console, stage, is_over=once)
            if not once:
                _go_on(story, console)
        return good
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(story: Story, console: Console) -> None:
    """Step by step; in a terminal both sides are shown live below the steps."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for what, outcome in story.scenes():
            started = time.monotonic()
            is_good = False
            while not is_good and time.monotonic() - started < STEP_SECONDS:
                is_good = story.has_followed()
                if console.is_terminal:
                    live.update(Group(Text(f"… {what}"), _both_sides(story.stage)), refresh=True)
                time.sleep(0.05)
            step = Step(what, outcome, is_good, time.monotonic() - started)
            story.steps.append(step)
            console.print(_in_words(len(story.steps), step))
    console.print(_both_sides(story.stage))


def _in_words(number: int, step: Step) -> Text:
    mark, style = ("✓", "green") if step.is_good else ("✗", "bold red")
    text = Text(f"\n{number}. {step.what}\n")
    return text.append(f"   {mark} {step.outcome}", style).append(
        f"  ({step.seconds:.1f} s)", "dim"
    )


def _both_sides(stage: Stage) -> Table:
    table = Table(
        "product",
        "person",
        "Wix site",
        "review service",
        "",
        title="both sides now",
        title_justify="left",
    )
    for one in sorted(stage.rated(), key=lambda one: (one.product, one.email)):
        table.add_row(
            one.product,
            one.email,
            _cell(_wix(stage, one), stage.words_on_wix(one.email, one.product)),
            _cell(_stars(one), stage.words_outside(one.email, one.product)),
            "=" if stage.is_in_step(one) else "…",
        )
    return table


def _cell(value: str, words: Words | None) -> str:
    """What a side shows of one rating, with its words below."""
    told = ": ".join(text for text in (words.title, words.body) if text) if words else ""
    return f"{value}\n{told}" if told else value


def _wix(stage: Stage, one: Rated) -> str:
    best = 5 if stage.wix_api is WixKind.REVIEWS else 100
    return "–" if one.wix is None else f"{one.wix} of {best}"


def _stars(one: Rated) -> str:
    return "–" if one.external is None else f"{one.external.normalize():f} of 5"


def _print_verdict(console: Console, checks: Sequence[Check]) -> bool:
    good = all(check.is_good for check in checks)
    console.print(
        Text("\nVerdict: " + ("good" if good else "BAD"), "bold green" if good else "bold red")
    )
    for check in checks:
        console.print(
            Text(
                f"  {'✓' if check.is_good else '✗'} {check.what}",
                "green" if check.is_good else "bold red",
            )
        )
    return good


def _print_addresses(console: Console, stage: Stage, *, is_over: bool) -> None:
    console.print("\nThe addresses were:" if is_over else "\nGo on playing here:")
    console.print(f"  the Wix site        {stage.box.wix_url}")
    console.print(f"  the review service  {stage.box.reviews_url}")
    console.print(f"  the gateway         {stage.parts.gateway_url}/readyz", highlight=False)
    if stage.parts.has_console:
        for line in way_in(stage.wiring.settings, stage.admin.transactions):
            console.print(f"  {line}", highlight=False, soft_wrap=True)
        if (dashboard := stage.box.dashboard) is not None:
            words = "an owner installs the app in a stand-in dashboard of Wix"
            console.print(f"  {words}: {dashboard.url}", highlight=False, soft_wrap=True)
    if not is_over:
        console.print("Try this: rate on either page, and see your rating come on the other.")


def _go_on(story: Story, console: Console) -> None:
    """Until Ctrl-C or SIGTERM; in a terminal both sides are shown live."""
    # Who reads the line may send the signal at once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        console.print("Ctrl-C ends the demo." if console.is_terminal else "SIGTERM ends the demo.")
        if console.is_terminal:
            _show_live(story, console)
        else:
            # Shown anew, the table would fill a log.
            signal.pause()
    except KeyboardInterrupt:
        return


def _show_live(story: Story, console: Console) -> NoReturn:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_both_sides(story.stage), refresh=True)
            time.sleep(SHOWN_SECONDS)


def replay_file(environ: Mapping[str, str], file: Path, *, limit: int, seed: int) -> bool:
    """Real ratings through both webhooks, 1 in 10 doubled, 1 in 10 late.

    Returns whether the verdict is good.
    """
    console, folder, lines = Console(), _folder(), deque[str](maxlen=40)
    ratings = read_ratings(file, limit)
    changes = len(ratings) // 25
    options = SandboxOptions(rate_per_minute=None, seed=seed, sender_threads=8, retry_scale=0.02)
    settings = {"WIX_BUDGET_PER_MINUTE": str(BUDGET), "WIX_BUDGET_CAPACITY": "1000"}
    try:
        stage = Stage(
            folder,
            environ,
            products_of(ratings),
            settings=settings,
            options=options,
            say=lambda name, line: lines.append(f"{name} | {line}"),
        )
        with _stage(stage, console, lines), _progress(console) as progress:
            bar = progress.add_task("on both sides", total=len(ratings))
            replay = Replay(stage, ratings, seed, changes=changes)
            replay.progress = lambda done: progress.update(bar, completed=done)
            replay.play()
            progress.stop()
            rate = stage.writes()["app"] / replay.seconds
            good = _print_verdict(console, replay.verdict())
            console.print(
                f"\n{replay.seconds:.1f} s, {rate:.0f} writes a second; the Wix budget was"
                " raised to"
            )
            console.print(f"{BUDGET:.0f} calls a minute at both ends (Wix itself allows 200).")
        return good
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)
