"""What somebody asks the workers for: live looks, as the commands do them, and imports of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import structlog
from celery import Task
from kombu.exceptions import OperationalError

from sync_worker.core.errors import SyncError
from sync_worker.core.values import AccountState
from sync_worker.doctor.live.accounts import account_checks
from sync_worker.doctor.live.dry_run import dry_run
from sync_worker.doctor.live.site_steps import onboarding_of
from sync_worker.runtime.celery.dashboard import Postponed
from sync_worker.services.accounts.standing import their_sites
from sync_worker.services.onboarding.steps import Step
from sync_worker.wiring import Wiring, wiring

IMPORT_SECONDS = 45.0  # with a chunk of rows in hand still short for a task

log = structlog.get_logger(__name__)


def probe_account(public_id: str, actor: str) -> str:
    """The doctor's live checks for one account; what was found is kept with it."""
    try:
        return probed(wiring(), public_id, actor)
    except SyncError as error:
        log.warning("account_notprobed", error=type(error).__name__)
        return Postponed(error.message)


def probed(parts: Wiring, public_id: str, actor: str) -> str:
    """What came of it, in words; empty: nothing was to be asked. Raises SyncError."""
    found = parts.accounts.store.by_public_id(public_id)
    # It has ended since somebody asked.
    if found is None or found.state is AccountState.REVOKED:
        return ""
    site = their_sites(parts.admin.site_pages, [found])[found.site_id]
    checks = list(account_checks(parts, found, site))
    is_good = not any(check.verdict == "bad" for check in checks)
    said = {"good": is_good, "checks": [asdict(check) for check in checks]}
    parts.accounts.note_probe(found, said, actor)
    return f"account of site {site.id}: {'good' if is_good else 'something is wrong'}"


def onboard_site(site_id: int, confirmed: Sequence[str], actor: str) -> str:
    """Go on with the steps of a site, up to the first that needs a person."""
    try:
        return onboarded(wiring(), site_id, confirmed, actor)
    except SyncError as error:
        log.warning("site_not_onboarded", site=site_id, error=type(error).__name__)
        return Postponed(error.message)


def onboarded(parts: Wiring, site_id: int, confirmed: Sequence[str], actor: str) -> str:
    """What came of it, in words. Raises SyncError."""
    site = parts.admin.sites.find(str(site_id))
    progress = onboarding_of(parts).go_on(site, actor, [Step(name) for name in confirmed])
    following = progress.following
    told = "at work" if following is None else f"{following.step} {following.state}"
    return f"site {site_id}: {told}"


def look_at_site(site_id: int, actor: str) -> str:
    """Compare both sides of a site whole, and write nothing; the run keeps what was found."""
    try:
        return looked_at(wiring(), site_id)
    except SyncError as error:
        log.warning("site_not_looked_at", site=site_id, error=type(error).__name__, asked_by=actor)
        return Postponed(error.message)


def looked_at(parts: Wiring, site_id: int) -> str:
    """What a run would do, in words. Raises SyncError."""
    site = parts.admin.sites.find(str(site_id))
    return f"site {site_id}: {dry_run(parts, site).words}"


def import_files(task: Task) -> str:
    """Go on with a file of ratings that somebody has sent, for less than a minute."""
    try:
        slices = wiring().import_slices()
        if slices is None:
            return ""
        done = slices.work_on(IMPORT_SECONDS)
    except SyncError as error:
        log.warning("import_postponed", error=type(error).__name__)
        return Postponed(error.message)
    if done.is_left:
        _ring_again(task)
    return done.told


def _ring_again(task: Task) -> None:
    """The next slice begins at once; beat's tick is the repeat."""
    try:
        task.apply_async(expires=60.0)
    except OperationalError as error:
        log.warning("doorbell_failed", error=type(error).__name__)
