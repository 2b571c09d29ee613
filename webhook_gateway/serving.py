"""How gunicorn serves the gateway; it reads its settings from the names of this module.

``gunicorn -c python:webhook_gateway.serving 'webhook_gateway.app:create_app()'``; like all settings
they come from the environment.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from sync_worker.config import load_settings

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_settings = load_settings()
_metrics_folder = _settings.ratings_sync_home / "gateway-metrics"

bind = _settings.gateway_bind
workers, threads = _settings.gateway_pool
worker_class = "webhook_gateway.deadline_worker.DeadlineWorker"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a heartbeat file must not wait for a disk
timeout = 15  # a process that does not react at all is replaced
graceful_timeout = 20
keepalive = 5  # also the time that a fresh connection may stay silent
backlog = 1024
max_requests, max_requests_jitter = 100_000, 10_000
# Headers of webhooks are few and small; what is larger is refused before it costs memory.
limit_request_line = 2048
limit_request_fields = 64
limit_request_field_size = 8190
# Nothing is decided by X-Forwarded headers, so nobody is trusted to set them.
forwarded_allow_ips = ""
loglevel = "error"  # a line for each malformed request would be a stranger's to write
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """The metrics of the last time are another process's."""
    shutil.rmtree(_metrics_folder, ignore_errors=True)
    _metrics_folder.mkdir(parents=True)
    # Before anything imports prometheus_client, which looks at it then.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker its place and its time for a request.

    Metrics files belong to a place, not to a process: a replaced process counts on where its
    predecessor ended.
    """
    taken = {running.place for running in server.WORKERS.values()}
    worker.place = next(place for place in range(len(taken) + 1) if place not in taken)
    worker.read_seconds = _settings.gateway_read_seconds


def post_fork(server: Arbiter, worker: Any) -> None:
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: worker.place)  # type: ignore[no-untyped-call]  # it ships no type
