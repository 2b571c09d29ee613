"""The command lines of the processes; a first word of ``-m`` runs with this Python."""

from __future__ import annotations

from pathlib import Path

QUIET = ["--without-gossip", "--without-mingle", "--loglevel", "warning"]
CELERY = ["-m", "celery", "-A", "sync_worker.tasks"]
FLOWER_SETTINGS = Path(__file__).parents[1] / "celery" / "flower.py"


def gateway_command() -> list[str]:
    """The gateway, with as many processes as its settings say."""
    return ["-m", "webhook_gateway"]


def worker_command(name: str = "worker@%h") -> list[str]:
    """A worker for both queues."""
    return [*CELERY, "worker", "-n", name, "-Q", "sync,maint", *QUIET]


def beat_command(schedule: str) -> list[str]:
    """The scheduler; ``schedule`` is the file of its memory."""
    return [*CELERY, "beat", "--schedule", schedule, "--loglevel", "warning", "--pidfile="]


def console_command() -> list[str]:
    """The pages in the browser, at CONSOLE_BIND."""
    return ["-m", "sync_console"]


def flower_command(bind: str | None = None) -> list[str]:
    """The dashboard, with the settings of ``runtime.celery.flower``.

    ``bind`` (host:port) wins over FLOWER_BIND.
    """
    options = [f"--conf={FLOWER_SETTINGS}"]
    if bind is not None:
        host, _, port = bind.rpartition(":")
        options += [f"--address={host}", f"--port={port}"]
    return [*CELERY, "flower", *options]
