"""The gateway of a newer version, as a rolling deploy may start it first: it rings with a task of
its own.
"""

from __future__ import annotations

from webhook_gateway import doorbell
from webhook_gateway.app import create_app

__all__ = ["create_app"]

doorbell.TASK = "sync_worker.tasks.sync_delivery_of_tomorrow"
