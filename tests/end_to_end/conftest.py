"""Everything as it runs in production, on this machine: real processes, real servers, real HTTP."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from sync_sandbox.platforms.stage import PlatformStage
from sync_sandbox.server import SandboxOptions
from sync_sandbox.stage import Stage
from tests.console.chromium import browser
from tests.end_to_end.demo_at_work import DemoAtWork, demo_at_work

__all__ = ["browser"]

VOLUME_BUDGET = {
    "WIX_BUDGET_PER_MINUTE": "60000",
    "WIX_BUDGET_CAPACITY": "1000",
}  # raised at both ends
QUICK: dict[str, Any] = {"rate_per_minute": None, "sender_threads": 8, "retry_scale": 0.02}
StageMaker = Callable[..., Any]  # a Stage, or a PlatformStage where `platform` is named


@pytest.fixture
def environ() -> dict[str, str]:
    """The least environment of a process: nothing of the developer's own settings."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@pytest.fixture
def make_stage(tmp_path: Path, environ: dict[str, str]) -> Iterator[StageMaker]:
    """Starts stages, and stops them at the end; what their processes said last is printed if the
    test fails.
    """
    lines: deque[str] = deque(maxlen=200)
    with ExitStack() as stack:

        def make(
            products: dict[str, str], *, settings: dict[str, str] | None = None, **more: Any
        ) -> Stage:
            kind = PlatformStage if more.get("platform") else Stage
            if platform := more.pop("platform", None):
                more["options"] = SandboxOptions(**QUICK, platform=platform)
            stage = kind(
                tmp_path / "home",
                environ,
                products,
                settings={**VOLUME_BUDGET, **(settings or {})},
                options=more.pop("options", SandboxOptions(**QUICK)),
                say=lambda name, line: lines.append(f"{name} | {line}"),
                **more,
            )
            (tmp_path / "home").mkdir(exist_ok=True)
            stack.enter_context(stage)
            return stage

        yield make
    for line in lines:
        print(line)  # noqa: T201 - pytest shows it only where a test failed


@pytest.fixture(scope="session")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoAtWork]:
    """`ratings-sync demo`, its story told: once for all tests that look at it."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with demo_at_work(browser, tmp_path_factory.mktemp("demo"), environ) as at_work:
        yield at_work
