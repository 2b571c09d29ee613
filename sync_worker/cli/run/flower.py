"""``ratings-sync flower``: the dashboard of the tasks."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import click

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local.commands import flower_command
from sync_worker.wiring import wiring


@click.command()
def flower() -> None:
    """The dashboard of the tasks, read-only, at FLOWER_BIND; needs the [flower] extra.

    \b
    Example: ratings-sync flower
    """
    if find_spec("flower") is None:
        raise Misconfigured(
            "Flower is not installed; `pip install 'ratings-sync[flower]'` brings it"
        )
    settings = wiring().settings
    _ = settings.broker, settings.flower_address  # what is wrong shows here, in words
    os.execv(sys.executable, [sys.executable, *flower_command()])  # noqa: S606 - our own command
