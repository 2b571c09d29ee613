"""What several commands take: a site, a file, a time, and the form of the answer."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sync_worker.core.numbers import MAX_WHOLE, whole_number
from sync_worker.core.values import Site, WixKind
from sync_worker.services.access.who import Role, Who
from sync_worker.wiring import wiring

NUMBER = click.IntRange(1, MAX_WHOLE)  # of a row, or of rows
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

JSON = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")
SITE = click.option(
    "--site",
    "site_name",
    metavar="SITE",
    help="Number, instance id or connector; needed if several.",
)
WHY = click.option("--why", default="", metavar="TEXT", help="For whoever reads the audit later.")
PAGE_AFTER = click.option(
    "--after", type=click.IntRange(0, MAX_WHOLE), default=0, metavar="N", help="Begin behind it."
)
PAGE_LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    metavar="N",
    help="So many at once.",
)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FILE = click.argument("file", type=EXISTING_FILE)


def the_site(name: str | None) -> Site:
    """The site that --site names. Raises Misconfigured."""
    return wiring().admin.sites.find(name)


def user_name() -> str:
    """Whoever gives the command, for the history; behind sudo the one who asked for it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def actor() -> str:
    """The same for audit and history: no user of the console is called so."""
    return f"cli:{user_name()}@{socket.gethostname()}"[:128]


def whoever() -> Who:
    """The same for services: whoever has a shell on the machine may do everything."""
    return Who(actor(), Role.ADMIN)


def example(text: str) -> Callable[[Any], Any]:
    """Put an example under the help of a command."""

    def decorate(command: Any) -> Any:
        command.epilog = f"Example: {text}"
        return command

    return decorate


class Moment(click.ParamType[datetime]):
    """A time in UTC: an ISO date or time, or how long ago (``90m``, ``36h``, ``7d``, ``2w``)."""

    name = "time"
    sign = -1
    says = "neither a date (2026-01-31) nor how long ago (90m, 36h, 7d, 2w)"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        number = whole_number(text[:-1])
        try:
            if number is not None and number >= 0 and text[-1:] in UNITS:
                return datetime.now(UTC) + self.sign * timedelta(**{UNITS[text[-1]]: number})
            at = datetime.fromisoformat(text)
            # Not every time of the first and last day of all exists in UTC.
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text[:40]!r} is {self.says}", param, ctx)
        return at


class Later(Moment):
    """A time to come: an ISO date or time (UTC), or in how long (``90m``, ``36h``, ``7d``)."""

    sign = 1
    says = "neither a time (2026-01-31T08:00, UTC) nor in how long (90m, 36h, 7d, 2w)"


WIX_KINDS = click.Choice([str(kind) for kind in WixKind])
WIX_API = click.option(
    "--wix-api",
    type=WIX_KINDS,
    help="Where Wix keeps the ratings: Wix Reviews, or its Ratings API. A new site of"
    " www.wixapis.com uses reviews.",
)
