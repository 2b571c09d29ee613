"""Everything on one machine: Redis unless you bring one, gateway, worker, scheduler, and Flower."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import requests

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local.commands import (
    beat_command,
    flower_command,
    gateway_command,
    worker_command,
)
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.processes import Child, Processes
from sync_worker.runtime.waiting import wait_until

READY_SECONDS = 30.0
EARLY_SECONDS = 10.0  # a process that ends sooner than this after its start is not just unlucky
MAX_EARLY_ENDS = 3


@dataclass(slots=True)
class Part:
    """One process of the installation and when it was last started."""

    name: str
    command: Sequence[str]
    child: Child
    started_at: float
    early_ends: int = 0


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What the settings say of one machine. ``home``: the state folder."""

    home: Path
    gateway_bind: str
    has_redis: bool
    is_sqlite: bool


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
        if not self.settings.has_redis:
            self.redis = EmbeddedRedis(self.settings.home / "redis")
            self.redis.start()
            self.environ = {**self.environ, "REDIS_URL": self.redis.url}
        if self.settings.is_sqlite and self.workers > 1:
            raise Misconfigured(
                "SQLite serves one worker process; set DATABASE_URL to a PostgreSQL for more"
            )
        # Whatever is wrong shows here, in words, before anything runs.
        self.check(self.environ)
        self.environ = {**self.environ, "PYTHONUNBUFFERED": "1"}
        for name, command in self._commands().items():
            self.parts[name] = Part(name, command, self._run(name, command), time.monotonic())
        self._wait_until_ready()

    def _commands(self) -> dict[str, list[str]]:
        commands = {"gateway": gateway_command()}
        for number in range(1, self.workers + 1):
            commands[f"worker {number}"] = worker_command(f"worker{number}@%h")
        commands["scheduler"] = beat_command(str(self.settings.home / "beat-schedule"))
        if self.flower_port is not None:
            commands["flower"] = flower_command(f"127.0.0.1:{self.flower_port}")
        return commands

    def _run(self, name: str, command: Sequence[str]) -> Child:
        return self.processes.start(name, command, self.environ)

    def _wait_until_ready(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            if wait_until(lambda: self._is_ready(session), READY_SECONDS):
                return
        raise Misconfigured(
            f"the gateway is not ready after {READY_SECONDS:.0f} s; its last lines say why"
        )

    def _is_ready(self, session: requests.Session) -> bool:
        """Raises Misconfigured if a process has ended already."""
        ended = self.processes.dead()
        if ended is not None:
            raise Misconfigured(f"the {ended.name} ended at its start; its last lines say why")
        try:
            return session.get(f"{self.gateway_url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False  # it is not listening yet

    def watch(self, is_over: Callable[[], bool], pause_seconds: float = 0.5) -> None:
        """Until ``is_over()``: start what has ended again.

        Raises Misconfigured for one that ends at each start.
        """
        while not is_over():
            for part in self.parts.values():
                if part.child.process.poll() is not None:
                    self._restart(part)
            time.sleep(pause_seconds)

    def _restart(self, part: Part) -> None:
        is_early = time.monotonic() - part.started_at < EARLY_SECONDS
        part.early_ends = part.early_ends + 1 if is_early else 0
        self.say(part.name, f"ended with status {part.child.process.returncode}; started again")
        if part.early_ends >= MAX_EARLY_ENDS:
            raise Misconfigured(f"the {part.name} ends at each start; its last lines say why")
        self.restart(part.name)

    def restart(self, name: str) -> Child:
        """End one at once (SIGKILL) if it still runs, and start it anew."""
        part = self.parts[name]
        self.processes.kill(part.child)
        part.child, part.started_at = self._run(name, part.command), time.monotonic()
        return part.child

    def kill(self, name: str) -> None:
        """SIGKILL, as a fault; ``restart`` brings it back."""
        self.parts[name].child.process.kill()

    def stop(self) -> None:
        """Stop all together; the workers have time to finish what is in hand."""
        self.processes.stop()
        if self.redis is not None:
            self.redis.stop()

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
