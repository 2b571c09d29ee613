"""The parts of one machine: its processes, from the environment that they will run in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from sync_worker.config import Settings, load_settings, misspelt_names
from sync_worker.runtime.local.single_machine import Installation, MachineSettings
from sync_worker.wiring.accounts.own_shops import OwnShops
from sync_worker.wiring.commands import Wiring
from sync_worker.wiring.console_entry import public_url
from sync_worker.wiring.secret_keys import locked, make_key_file

OF_CONSOLE = ("argon2", "babel", "flask_wtf", "jinja2_fragments")  # the extra [console]


def installation(
    environ: Mapping[str, str],
    say: Callable[[str, str], None],
    *,
    workers: int = 1,
    flower_port: int | None = None,
    folder: Path | None = None,
    with_console: bool = False,
) -> Installation:
    """An installation with these settings, not started. Raises Misconfigured.

    ``environ``: the whole environment of its processes; ``say(name, line)`` gets what they print;
    ``folder``: where they run; ``with_console``: pages in the browser, where they can be had.
    """
    settings = load_settings(environ)
    for name, meant in misspelt_names(environ).items():
        say("up", f"{name} is no setting, and nothing reads it; did you mean {meant}?")
    machine = MachineSettings(
        home=settings.ratings_sync_home,
        gateway_bind=settings.gateway_bind,
        has_redis=settings.redis_url is not None,
        is_sqlite=settings.is_sqlite,
        console_bind=console_bind(settings, say) if with_console else "",
    )
    check = partial(check_all, lambda line: say("up", line))
    return Installation(machine, environ, check, say, workers, flower_port, folder)


def console_bind(settings: Settings, say: Callable[[str, str], None]) -> str:
    """Where the console listens; empty, and said, where it is not installed.

    Raises Misconfigured: its settings are wrong.
    """
    if any(find_spec(name) is None for name in OF_CONSOLE):
        say("up", "no console: `pip install 'ratings-sync[console]'` brings it")
        return ""
    _ = public_url(settings)
    return settings.console_bind


def check_all(say: Callable[[str], None], environ: Mapping[str, str]) -> None:
    """Open the ledger and read the manifests. Raises Misconfigured with what is wrong.

    ``say`` is told of what stands still and stops nothing else.
    """
    settings = load_settings(environ)
    _ = settings.broker, settings.cache
    with closing(Wiring(settings, environ)) as parts:
        # Before there is a key: settings that are right only in part make none.
        _ = parts.ledger, parts.connectors.set_up
        in_use = parts.admin.sealed.keys_in_use()
        if line := locked(settings, in_use).line:
            say(line)
        # Whose key is lost, others go on.
        elif made := make_key_file(settings, in_use):
            say(made)
        for fault in OwnShops(parts.connectors, parts.admin.transactions).faults():
            say(f"{fault.line}; {fault.next_step}")
