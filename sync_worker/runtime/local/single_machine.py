"""Everything on one machine: Redis unless you bring one, gateway, worker, scheduler, and Flower.

Each is started again when it ends. The state folder is locked: one installation at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local.commands import (
    beat_command,
    console_command,
    flower_command,
    gateway_command,
    worker_command,
)
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.folder_lock import FolderLock
from sync_worker.runtime.local.gateway_port import ready_status, refuse_taken_port
from sync_worker.runtime.local.guardian import Guardian
from sync_worker.runtime.local.processes import STOP_SECONDS, Child, Processes
from sync_worker.runtime.local.restarts import Restarts
from sync_worker.runtime.waiting import wait_until

READY_SECONDS = 90.0  # a busy machine takes long; who ends at its start is noticed at once
OK = 200
UP, REDIS = "up", "redis"  # names of what is no child of Processes


@dataclass(slots=True)
class Part:
    """One process of the installation, and how its starts went."""

    name: str
    command: Sequence[str]
    child: Child
    restarts: Restarts = field(default_factory=Restarts)


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What the settings say of one machine.

    ``home``: the state folder; ``console_bind``: of the pages in the browser; empty: none.
    """

    home: Path
    gateway_bind: str
    has_redis: bool
    is_sqlite: bool
    console_bind: str = ""


@dataclass
class Installation:
    """``with Installation(...) as all: all.watch(...)``.

    ``environ`` is the whole environment of the processes; REDIS_URL, when it is missing, is filled
    in. ``check`` raises Misconfigured if nothing could work with it. ``say(name, line)`` gets what
    the processes print. ``folder`` is where they run, and where they look for a ``.env``.
    """

    settings: MachineSettings
    environ: Mapping[str, str]
    check: Callable[[Mapping[str, str]], None]
    say: Callable[[str, str], None]
    workers: int = 1
    flower_port: int | None = None
    folder: Path | None = None
    redis: EmbeddedRedis | None = None
    parts: dict[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ = dict(self.environ)
        self.processes = Processes(self.say, self.folder)
        self._lock = FolderLock(self.settings.home, lambda line: self.say(UP, line))
        self._guardian: Guardian | None = None
        self._redis_restarts = Restarts()

    @property
    def gateway_url(self) -> str:
        return f"http://{self.settings.gateway_bind.replace('0.0.0.0', '127.0.0.1')}"  # noqa: S104 - compared only

    def start(self) -> None:
        """Start all, and wait until the gateway is ready.

        Raises Misconfigured; then nothing is left running.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        # First: whatever comes next would disturb another installation of this folder.
        self._lock.take()
        refuse_taken_port(self.settings.gateway_bind)
        if not self.settings.has_redis:
            redis = EmbeddedRedis(self.settings.home / "redis", lambda line: self.say(REDIS, line))
            self.redis = redis
            redis.start()
            self._redis_restarts.note_start()
            self._guard()
            self.environ = {**self.environ, "REDIS_URL": redis.url}
        if self.settings.is_sqlite and self.workers > 1:
            raise Misconfigured(
                "SQLite serves one worker process; set DATABASE_URL to a PostgreSQL for more"
            )
        # Whatever is wrong shows here, in words, before anything runs.
        self.check(self.environ)
        self.environ = {**self.environ, "PYTHONUNBUFFERED": "1"}
        for name, command in self._commands().items():
            self.parts[name] = Part(name, command, self._run(name, command))
            self._guard()
        self._wait_until_ready()

    def _commands(self) -> dict[str, list[str]]:
        commands = {"gateway": gateway_command()}
        for number in range(1, self.workers + 1):
            commands[f"worker {number}"] = worker_command(f"worker{number}@%h")
        commands["scheduler"] = beat_command(str(self.settings.home / "beat-schedule"))
        if self._can_have_console():
            commands["console"] = console_command()
        if self.flower_port is not None:
            commands["flower"] = flower_command(f"127.0.0.1:{self.flower_port}")
        return commands

    def _can_have_console(self) -> bool:
        """A port that is taken there stops nothing else."""
        if not self.settings.console_bind:
            return False
        try:
            refuse_taken_port(self.settings.console_bind, "CONSOLE_BIND")
        except Misconfigured as error:
            self.say(UP, f"no console: {error.message}")
            return False
        return True

    @property
    def has_console(self) -> bool:
        """Whether it was started."""
        return "console" in self.parts

    def _run(self, name: str, command: Sequence[str]) -> Child:
        return self.processes.start(name, command, self.environ)

    def _guard(self) -> None:
        """Let the guardian know which processes there are now."""
        pids = [child.process.pid for child in self.processes.children]
        if self.redis is not None and self.redis.is_running:
            pids.append(self.redis.pid)
        if self._guardian is None or not self._guardian.is_running:
            self._guardian = Guardian(self._lock.fd)
        self._guardian.watch(pids)

    def _wait_until_ready(self) -> None:
        if not wait_until(self._is_ready, READY_SECONDS):
            raise Misconfigured(
                f"the gateway is not ready after {READY_SECONDS:.0f} s; its last lines say why"
            )

    def _is_ready(self) -> bool:
        """Raises Misconfigured if a process has ended already."""
        ended = self.processes.dead()
        if ended is not None:
            raise Misconfigured(f"the {ended.name} ended at its start; its last lines say why")
        return ready_status(self.gateway_url) == OK

    # -- while it runs

    def watch(self, is_over: Callable[[], bool], pause_seconds: float = 0.5) -> None:
        """Until ``is_over()``: start what has ended again, after a pause if it ends each time.

        Raises Misconfigured for one that has ended at each start and never worked.
        """
        while not is_over():
            if self._guardian is not None and not self._guardian.is_running:
                self._guard()
            self._watch_redis()
            for part in self.parts.values():
                self._watch_part(part)
            time.sleep(pause_seconds)

    def _watch_redis(self) -> None:
        """Its data is in its file, and whatever that lacks is rung for again by the sweeper."""
        redis, restarts = self.redis, self._redis_restarts
        if redis is None or redis.is_running:
            return
        self._say_end(REDIS, "ended", restarts.note_end())
        if not restarts.is_due:
            return
        restarts.note_start()
        try:
            redis.start()
        except (Misconfigured, OSError) as error:
            self.say(REDIS, str(error))
        self._guard()

    def _watch_part(self, part: Part) -> None:
        status = part.child.process.poll()
        if status is None:
            return
        self._say_end(part.name, f"ended with status {status}", part.restarts.note_end())
        if part.restarts.is_hopeless:
            raise Misconfigured(f"the {part.name} ends at each start; its last lines say why")
        if not part.restarts.is_due:
            return
        try:
            self.restart(part.name)
        except OSError as error:
            # No memory or no process left for it: later there may be.
            part.restarts.note_start()
            self.say(part.name, f"cannot be started: {error.strerror}")

    def _say_end(self, name: str, what: str, pause: float | None) -> None:
        """``pause``: until its next start; ``None`` where its end was told already."""
        if pause is None:
            return
        again = f"again in {pause:.0f} s" if pause else "again"
        self.say(name, f"{what}; started {again}")

    def restart(self, name: str) -> Child:
        """End one at once (SIGKILL) if it still runs, and start it anew."""
        part = self.parts[name]
        if part.child in self.processes.children:
            self.processes.kill(part.child)
        part.child = self._run(name, part.command)
        part.restarts.note_start()
        self._guard()
        return part.child

    def kill(self, name: str) -> None:
        """SIGKILL, as a fault; ``restart`` brings it back."""
        self.parts[name].child.process.kill()

    def stop(self) -> None:
        """Stop all together; the workers have time to finish what is in hand."""
        names = [child.name for child in self.processes.children]
        if self.redis is not None and self.redis.is_running:
            names.append(REDIS)
        if names:
            self.say(
                UP,
                f"stopping {', '.join(names)}; what is in hand is finished first, for"
                f" {STOP_SECONDS:.0f} s at most",
            )
        self.processes.stop()
        if self.redis is not None:
            self.redis.stop()
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None
        self._lock.release()

    def __enter__(self) -> Installation:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
