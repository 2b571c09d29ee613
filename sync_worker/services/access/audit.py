"""The audit, for who may look: an owner sees what was done at their site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.ledger.access.audit_pages import PAGE, AuditFilter, AuditLine, SqlAuditPages
from sync_worker.services.access.who import Right, Who

__all__ = ["AuditLine", "AuditLog", "AuditPage"]


RESTS = ("site.pause", "site.resume", "site.recover")


@dataclass(frozen=True, slots=True)
class AuditPage:
    """``next_before``: begin the next page before it; ``None``: there is none."""

    lines: Sequence[AuditLine]
    kinds: Sequence[str]
    next_before: int | None


class AuditLog:
    """Raises Forbidden, Transient."""

    def __init__(self, store: SqlAuditPages) -> None:
        self._store = store

    def page(
        self,
        who: Who,
        *,
        site_id: int | None = None,
        actor: str = "",
        what: str = "",
        before: int | None = None,
        limit: int = PAGE,
    ) -> AuditPage:
        """Empty: all. ``before``: the last one of the page before."""
        if who.site_id is not None:
            site_id = who.site_id
        who.check(Right.LOOK, site_id)
        found = self._store.page(AuditFilter(site_id, actor, what, before), limit)
        if not who.may(Right.USERS, site_id):
            found = [_without_address(line) for line in found]
        following = found[-1].id if len(found) == limit else None
        return AuditPage(found, self._store.kinds(site_id), following)

    def rests(self, who: Who, site_id: int | None = None, limit: int = 10) -> Sequence[AuditLine]:
        """The last pauses of sites and their ends, newest first."""
        if who.site_id is not None:
            site_id = who.site_id
        who.check(Right.LOOK, site_id)
        found = [
            line
            for what in RESTS
            for line in self._store.page(AuditFilter(site_id, "", what, None), limit)
        ]
        return sorted(found, key=lambda line: line.id, reverse=True)[:limit]


def _without_address(line: AuditLine) -> AuditLine:
    """From where somebody logged in is for admins."""
    after = {name: value for name, value in line.after.items() if name != "address"}
    return replace(line, after=after)
