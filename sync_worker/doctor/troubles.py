"""The list of troubles as checks: the sentences that ``status`` says, too."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.doctor.check import Check, bad, ok
from sync_worker.doctor.evidence import find_troubles
from sync_worker.services.trouble import TroubleKind
from sync_worker.services.troubles import shortened
from sync_worker.wiring import Wiring

# Of these the doctor's own checks say more.
TOLD_BY_CHECKS = frozenset(
    {
        TroubleKind.NO_LEDGER,
        TroubleKind.LEDGER,
        TroubleKind.MISCONFIGURED,
        TroubleKind.REDIS,
        TroubleKind.ACCOUNT_REFUSED,
        TroubleKind.HOOKS_DISABLED,
        TroubleKind.SITE_WORK_FAILS,
    }
)


def check_troubles(wiring: Wiring, *, is_offline: bool) -> Iterator[Check]:
    """One line for each; the remotes are read by checks of their own."""
    found = find_troubles(wiring, is_offline=is_offline, asks_remotes=False)
    told = [trouble for trouble in found if trouble.kind not in TOLD_BY_CHECKS]
    for trouble in shortened(told):
        yield bad(trouble.kind.replace("_", " "), trouble.sentence, trouble.next_step)
    if not found:
        yield ok("now", "what has to run runs, and nothing stands in the way of a rating")
