"""Contacts that were merged: the links of all of them join those of the contact that lives on.

Joining itself is the engine's, under the leases of both links; here it is only set off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_worker.core.errors import Transient
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.merges import Merges
from sync_worker.core.values import Merge, Site
from sync_worker.engine.engine import Engine

AGAIN_SECONDS = 2.0
# Tried again until done; a held link waits for a person, and a merge does not wait with it.
UNFINISHED = frozenset(
    {OutcomeKind.BUSY, OutcomeKind.LEASE_LOST, OutcomeKind.RETRY, OutcomeKind.RATE_LIMITED}
)


@dataclass(frozen=True, slots=True)
class ContactMerges:
    """Follows the merges of one site."""

    merges: Merges
    engine: Engine
    site: Site

    def follow(self, merge: Merge, *, is_told: bool) -> None:
        """Remember the merge, then bring every link of the people in it to the one that lives on.

        ``is_told``: an event told of it; else Wix showed it. Raises Transient: not all is done.
        """
        # Remembered first: a link that is busy now finds by itself later that it has to join.
        self.merges.redirect(self.site.id, merge, is_told=is_told)
        run_links(self.engine, self.merges.links_of(self.site.id, merge.target))


def run_links(engine: Engine, link_ids: Sequence[int]) -> None:
    """Bring these links of a contact in step. Raises Transient if one has to be tried again."""
    outcomes = [engine.sync_link(link_id) for link_id in link_ids]
    unfinished = [outcome for outcome in outcomes if outcome.kind in UNFINISHED]
    if unfinished:
        raise Transient(
            f"{len(unfinished)} links of this contact are not done", retry_after=AGAIN_SECONDS
        )
