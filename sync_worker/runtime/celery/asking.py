"""What workers are asked to do for somebody: a message that names it, and who asks.

A process that asks so calls no remote and opens no secret itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from sync_worker.core.errors import SyncError, Transient
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.core.ports.doorbell import QUEUE as DELIVERIES
from sync_worker.core.ports.inbox import RING_SHARE

QUEUE = "maint"
PROBE_ACCOUNT = "sync_worker.tasks.probe_account"
ONBOARD_SITE = "sync_worker.tasks.onboard_site"
LOOK_AT_SITE = "sync_worker.tasks.look_at_site"
IMPORT_FILES = "sync_worker.tasks.import_files"
EXPIRES_SECONDS = 600.0  # whoever asked has gone by then, or asked again

log = structlog.get_logger(__name__)


class WorkersAsked:
    """``broker``: its URL. Each raises what that raises, and Transient while Redis is away."""

    def __init__(self, broker: Callable[[], str], key_prefix: str) -> None:
        self._broker, self._key_prefix = broker, key_prefix

    def probe(self, public_id: str, actor: str) -> None:
        """Ask the shop of an account and Wix, and keep what they say."""
        self._ask(PROBE_ACCOUNT, public_id, actor)

    def onboard(self, site_id: int, confirmed: Sequence[str], actor: str) -> None:
        """Go on with the steps of a site, up to the first that needs a person."""
        self._ask(ONBOARD_SITE, site_id, list(confirmed), actor)

    def dry_run(self, site_id: int, actor: str) -> None:
        """Compare both sides of a site whole, and write nothing."""
        self._ask(LOOK_AT_SITE, site_id, actor)

    def import_files(self) -> None:
        """Go on with the files of ratings that wait."""
        self._ask(IMPORT_FILES)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """Implements ports.Bell: a ring that fails is the sweeper's to repeat, within seconds."""
        try:
            for inbox_id in inbox_ids[:RING_SHARE]:
                self._app.send_task(DELIVERY_TASK, args=[inbox_id], queue=DELIVERIES)
        except (KombuError, RedisError, OSError, SyncError) as error:
            log.warning("doorbell_failed", error=type(error).__name__)

    def _ask(self, task: str, *args: object) -> None:
        try:
            self._app.send_task(task, args=args, queue=QUEUE, expires=EXPIRES_SECONDS)
        except (KombuError, RedisError, OSError):
            raise Transient("Redis does not answer, so no worker can be asked: try again") from None

    @cached_property
    def _app(self) -> Celery:
        app = Celery("asking", broker=self._broker(), set_as_current=False)
        app.conf.update(
            broker_transport_options={
                "global_keyprefix": self._key_prefix,
                "socket_timeout": 2,
                "socket_connect_timeout": 2,
                # Whoever asks waits for the answer: one try.
                "max_retries": 0,
            },
            task_queues={
                name: {"exchange": name, "exchange_type": "direct", "routing_key": name}
                for name in (QUEUE, DELIVERIES)
            },
            task_create_missing_queues=False,
            task_publish_retry=False,
            task_ignore_result=True,
            result_backend=None,
        )
        return app
