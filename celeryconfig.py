"""Celery's settings under the name that ``celery --config celeryconfig`` expects; nothing else
loads this file.

A module of this name can be shadowed by any working folder, so the processes load their settings by
``sync_worker.runtime.celery.settings``, where each one stands with its reason.
"""

from sync_worker.runtime.celery.settings import *  # noqa: F403 - Celery wants all of them here
