"""The parts of one machine: its processes, from the environment that they will run in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from sync_worker.config import load_settings, misspelt_names
from sync_worker.runtime.local.single_machine import Installation, MachineSettings
from sync_worker.wiring.accounts.own_shops import OwnShops
from sync_worker.wiring.commands import Wiring
from sync_worker.wiring.secret_keys import locked, make_key_file


def installation(
    environ: Mapping[str, str],
    say: Callable[[str, str], None],
    *,
    workers: int = 1,
    flower_port: int | None = None,
    folder: Path | None = None,
) -> Installation:
    """An installation with these settings, not started. Raises Misconfigured.

    ``environ``: the whole environment of its processes; ``say(name, line)`` gets what they print;
    ``folder``: where they run.
    """
    settings = load_settings(environ)
    for name, meant in misspelt_names(environ).items():
        say("up", f"{name} is no setting, and nothing reads it; did you mean {meant}?")
    machine = MachineSettings(
        home=settings.ratings_sync_home,
        gateway_bind=settings.gateway_bind,
        has_redis=settings.redis_url is not None,
        is_sqlite=settings.is_sqlite,
    )
    check = partial(check_all, lambda line: say("up", line))
    return Installation(machine, environ, check, say, workers, flower_port, folder)


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
