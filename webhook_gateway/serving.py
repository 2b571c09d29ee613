"""How gunicorn serves the gateway, for those who start it by gunicorn; kept for one release.

``gunicorn -c python:webhook_gateway.serving 'webhook_gateway.app:create_app()'`` reads its settings
from the names of this module. It lends a thread to each connection, so slow clients can shut the
door: ``python -m webhook_gateway`` is the server that does not mind them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sync_worker.config import load_settings
from webhook_gateway import metric_files

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_settings = load_settings()

bind = _settings.gateway_bind
workers, threads = _settings.gateway_pool
worker_class = "gthread"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a heartbeat file must not wait for a disk
timeout = 15  # a process that does not react at all is replaced
graceful_timeout = 20
keepalive = 5
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
    metric_files.begin_anew(_settings.ratings_sync_home)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker the first free place."""
    taken = {running.place for running in server.WORKERS.values()}
    worker.place = next(place for place in range(len(taken) + 1) if place not in taken)


def post_fork(server: Arbiter, worker: Any) -> None:
    metric_files.count_at(worker.place)
