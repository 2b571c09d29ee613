"""``ratings-sync`` as a process of its own for each call, forked from one that has imported it
already.

Starting Python anew takes ten times as long as most commands. What is to be seen from the very
first byte (an installed command, a signal, an answer to a prompt) is started as a program instead.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sync_worker.cli import commands
from sync_worker.cli.account import group as account
from sync_worker.cli.connector import group as connector
from sync_worker.cli.held import group as held
from sync_worker.cli.map import group as map_

# The commands load lazily: what one of them imports is imported here for all.
COMMANDS = [
    f"sync_worker.cli.{lazy.place.split(':')[0]}"
    for table in (
        commands.cli.lazy,
        account.COMMANDS,
        connector.COMMANDS,
        held.COMMANDS,
        map_.COMMANDS,
    )
    for lazy in table.values()
]
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["pytest", *COMMANDS])


def run_command(
    words: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    timeout: float = 60,
    typed: str = "",
) -> subprocess.CompletedProcess[str]:
    """What the command printed and its status; ``environ`` is its whole environment, and ``typed``
    what stands in its standard input.

    Raises TimeoutExpired.
    """
    with tempfile.TemporaryDirectory(prefix="command-") as streams:
        into, out, err = (Path(streams) / name for name in ("in", "out", "err"))
        into.write_text(typed)
        files = (into, out, err)
        process = _FORKED.Process(target=_run, args=(list(words), folder, dict(environ), files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), timeout)
        status = process.exitcode
        process.close()
        return subprocess.CompletedProcess(list(words), status, out.read_text(), err.read_text())


def _run(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], files: tuple[Path, Path, Path]
) -> None:
    # A pass of the collector over all that was imported would cost more than most commands.
    gc.freeze()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    into, out, err = files
    sys.stdin = into.open(encoding="utf-8")
    sys.stdout, sys.stderr = (path.open("w", encoding="utf-8") for path in (out, err))
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        os.dup2(stream.fileno(), number)
    sys.argv = ["ratings-sync", *words]
    from sync_worker.cli.main import main

    main()


def run_forked(work: Callable[..., Any], *args: Any, timeout: float = 120) -> Any:
    """What a function of a module returns in a process of its own.

    Raises EOFError if it ended without an answer; what it printed says why.
    """
    ours, theirs = _FORKED.Pipe(duplex=False)
    process = _FORKED.Process(target=_work, args=(theirs, work, args))
    process.start()
    theirs.close()
    with ours:
        try:
            if not ours.poll(timeout):
                raise TimeoutError(work.__name__)
            return ours.recv()
        finally:
            process.kill()
            process.join()
            process.close()


def _work(theirs: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    gc.freeze()
    theirs.send(work(*args))
