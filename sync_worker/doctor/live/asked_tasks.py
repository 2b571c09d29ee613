"""The tasks of what somebody asks the workers for.

Their work is imported as it comes: the scheduler, which knows all tasks by name, does none of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from celery import Celery, Task

from sync_worker.runtime.celery.asking import (
    IMPORT_FILES,
    LOOK_AT_SITE,
    ONBOARD_SITE,
    PROBE_ACCOUNT,
)
from sync_worker.runtime.celery.dashboard import Tick


def add_tasks(app: Celery) -> None:
    """The tasks by their names."""
    app.task(probe_account, name=PROBE_ACCOUNT, base=Tick)
    app.task(onboard_site, name=ONBOARD_SITE, base=Tick)
    app.task(look_at_site, name=LOOK_AT_SITE, base=Tick)
    app.task(import_files, name=IMPORT_FILES, base=Tick, bind=True)


def probe_account(public_id: str, actor: str) -> str:
    """The doctor's live checks for one account; what was found is kept with it."""
    from sync_worker.doctor.live import asked

    return asked.probe_account(public_id, actor)


def onboard_site(site_id: int, confirmed: Sequence[str], actor: str) -> str:
    """Go on with the steps of a site, up to the first that needs a person."""
    from sync_worker.doctor.live import asked

    return asked.onboard_site(site_id, confirmed, actor)


def look_at_site(site_id: int, actor: str) -> str:
    """Compare both sides of a site whole, and write nothing; the run keeps what was found."""
    from sync_worker.doctor.live import asked

    return asked.look_at_site(site_id, actor)


def import_files(task: Task) -> str:
    """Go on with a file of ratings that somebody has sent, for less than a minute."""
    from sync_worker.doctor.live import asked

    return asked.import_files(task)
