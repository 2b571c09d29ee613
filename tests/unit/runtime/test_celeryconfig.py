"""The root ``celeryconfig.py``, for whoever passes ``--config celeryconfig``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMPARE = """
import celeryconfig
from sync_worker.runtime.celery import settings
public = [name for name in vars(settings) if not name.startswith("_")]
assert "task_acks_late" in public
assert [name for name in public if getattr(celeryconfig, name) is not getattr(settings, name)] == []
# What pages ask the workers for is a task, with a queue.
from sync_worker import tasks
from sync_worker.runtime.celery.asking import LOOK_AT_SITE, ONBOARD_SITE, PROBE_ACCOUNT, QUEUE
for name in (PROBE_ACCOUNT, ONBOARD_SITE, LOOK_AT_SITE):
    assert tasks.app.tasks[name].name == name
    assert settings.task_routes[name]["queue"] == QUEUE
"""


def test_celeryconfig_hands_on_every_setting() -> None:
    """A setting that it left out would be Celery's default: acks before the work, or pickle."""
    environ = {"PATH": os.environ["PATH"], "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", COMPARE],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
