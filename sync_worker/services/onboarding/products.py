"""New products: both catalogues read, pairs proposed, and mapped where policy or a person says so.

A delivery for a thing that is not mapped waits as ``unknown_entity``. Its name is looked for once,
and a site is looked at once in ten minutes; then the site's policies count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from sync_worker.core.errors import SyncError, Transient
from sync_worker.core.ports.catalogue import Catalogue, NotListed
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.values import AutoMap, EntityRef, Side, Site, UnknownEntity
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.files.proposals import ALL_WAYS, By, EntityProposal, pair_of, propose_entities
from sync_worker.ledger.accounts.audit import BY_COMMAND
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.mappings import Imported, ImportRefused
from sync_worker.services.onboarding.catalogues import Catalogues, read_both

Wait = Callable[[float], None]
CatalogueOf = Callable[[Site, Wait], Mapping[Side, Catalogue]]

SITES_AT_ONCE = 20
LOOK_SECONDS = 90.0  # of one site in a worker; below the broker's visibility time-out
BY_POLICY = "auto_map"  # in the audit, where no person says which things are the same
BATCH = 500  # pairs that are mapped in one transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at both catalogues brought. ``why_not``: why a side lists nothing.

    ``mapped``: pairs that policy mapped; ``proposed``: those for a person; ``released``: deliveries
    that go on.
    """

    counts: Mapping[str, int]
    mapped: int = 0
    proposed: int = 0
    released: tuple[int, ...] = ()
    why_not: str = ""


class Products:
    """The products of sites. ``catalogues_of``: of both sides, and how their budgets are waited
    for.
    """

    def __init__(self, admin: LedgerAdmin, catalogues_of: CatalogueOf, bell: Bell) -> None:
        self._admin, self._catalogues_of, self._bell = admin, catalogues_of, bell

    def look_where_due(self, seconds: float) -> list[str]:
        """Look for what is unknown on the sites, for about so long; in words, what was done.

        One site's fault stays its own. Raises Transient where the ledger does not answer.
        """
        until, told = time.monotonic() + seconds, list[str]()
        for site_id in self._admin.looks.due_sites(SITES_AT_ONCE):
            if time.monotonic() > until:
                break
            # Another process has it.
            if not self._admin.looks.claim(site_id):
                continue
            site = self._admin.sites.find(str(site_id))
            # Its account rests, and its turn is over: others come first next time.
            if site.is_at_work:
                told += self._looked_at(site)
        return told

    def _looked_at(self, site: Site) -> Iterator[str]:
        end = time.monotonic() + LOOK_SECONDS

        def wait(seconds: float) -> None:
            if time.monotonic() + seconds > end:
                raise Transient(
                    f"the catalogues were not read whole within {LOOK_SECONDS:.0f} s; the next"
                    " look goes on where this one ended"
                )
            time.sleep(seconds)

        try:
            looked = self.look(site, wait)
        except SyncError as error:
            log.warning("catalogue_not_read", site=site.id, error=type(error).__name__)
            self._admin.looks.note(site.id, {}, str(error))
        except Exception as error:
            # Another site's products have nothing to do with it.
            log.error("catalogue_failed", site=site.id, error=type(error).__name__, exc_info=error)
            self._admin.looks.note(site.id, {}, f"unforeseen: {type(error).__name__}")
        else:
            yield f"site {site.id}: {looked.mapped} mapped, {looked.proposed} proposed"

    def look(self, site: Site, wait: Wait = time.sleep) -> Looked:
        """Read both catalogues now. Raises SyncError where one cannot be read."""
        # What comes while we read waits for the next look.
        keys = self._admin.looks.waiting_keys(site)
        try:
            found = self._read(site, wait)
        except NotListed as none:
            released = self._asked(site, keys)
            self._admin.looks.note(site.id, {}, str(none))
            return Looked({}, released=tuple(released), why_not=none.message)
        looked = self._paired(site, found)
        released = [*looked.released, *self._asked(site, keys)]
        self._admin.looks.note(site.id, looked.counts)
        return Looked(looked.counts, looked.mapped, looked.proposed, tuple(released))

    def _read(self, site: Site, wait: Wait) -> Catalogues:
        """Both catalogues, from where the look before has ended. Raises SyncError."""
        parts = self._admin.catalogue_parts
        so_far = parts.so_far(site.id)
        try:
            found = read_both(
                self._catalogues_of(site, wait),
                so_far.sides,
                lambda side, part: parts.keep(site.id, so_far, side, part),
                lambda: wait(0.0),
            )
        except Transient:
            raise
        except SyncError:
            # A cursor may be good for a while only: the next look begins anew.
            parts.forget(site.id)
            raise
        parts.forget(site.id)
        return found

    def _paired(self, site: Site, found: Catalogues) -> Looked:
        """Map what policy maps, and propose the others."""
        policy = site.policy.auto_map
        done = Imported()
        if policy is not AutoMap.OFF:
            way: By = "sku" if policy is AutoMap.SKU else "id"
            certain = propose_entities(found.wix, found.external, [way])
            done, _ = self._map(site, self._unmapped(site, certain), BY_POLICY)
        proposal = propose_entities(found.wix, found.external, ALL_WAYS)
        pairs = self._unmapped(site, proposal)
        self._admin.proposals.replace(site.id, pairs)
        counts = {
            "wix": len(found.wix),
            "external": len(found.external),
            "pairs": len(pairs),
            "doubtful": len(proposal.doubts),
            "unreadable": sum(found.unreadable.values()),
        }
        return Looked(counts, done.added, len(pairs), done.released)

    def _unmapped(self, site: Site, proposal: EntityProposal) -> list[ProposedPair]:
        """The pairs of whose two things neither is mapped."""
        place = (site.policy.same_id_namespace, site.policy.same_id_group)
        mapped = self._admin.mappings.entities(site.id)
        known = {entity.wix for entity in mapped} | {entity.external for entity in mapped}
        pairs = []
        for pair in proposal.pairs:
            wix, external = pair_of(pair, *place)
            if wix not in known and external not in known:
                titles = (pair.wix.name, pair.external.name)
                pairs.append(ProposedPair(wix, external, pair.way, *titles))
        return pairs

    def confirm(
        self, site: Site, ways: Sequence[By] = ALL_WAYS, actor: str = BY_COMMAND
    ) -> tuple[Imported, list[str]]:
        """A person says that the open proposals by these ways are right.

        Returns what was mapped, and in words which could not be.
        """
        pairs = [pair for pair in self.proposed(site) if pair.way in ways]
        return self._map(site, pairs, actor)

    def confirm_some(
        self, site: Site, numbers: Collection[int], actor: str
    ) -> tuple[Imported, list[str]]:
        """The same for single proposals; one that is not open any more is left out."""
        pairs = self._admin.proposals.some(site.id, numbers)
        return self._map(site, pairs, actor)

    def proposed(self, site: Site) -> Iterator[ProposedPair]:
        """All open proposals, page by page."""
        after = 0
        while page := self._admin.proposals.open(site.id, after):
            yield from page
            after = page[-1].id

    def _map(
        self, site: Site, pairs: Sequence[ProposedPair], actor: str
    ) -> tuple[Imported, list[str]]:
        """In batches, each whole; what cannot be mapped is left out of its batch."""
        added, released, refused = 0, list[int](), list[str]()
        for start in range(0, len(pairs), BATCH):
            batch = list(pairs[start : start + BATCH])
            done, wrong = self._map_batch(site, batch, actor)
            added += done.added
            released += done.released
            refused += wrong
        self._bell.ring(released)
        return Imported(added, released=tuple(released)), refused

    def _map_batch(
        self, site: Site, batch: list[ProposedPair], actor: str
    ) -> tuple[Imported, list[str]]:
        wrong: list[str] = []
        mappings = self._admin.mappings
        try:
            done = mappings.import_entities(site, _pairs(batch), actor)
        except ImportRefused as refused:
            wrong = [f"{_name(batch[at])}: {why}" for at, why in sorted(refused.problems.items())]
            batch = [pair for at, pair in enumerate(batch) if at not in refused.problems]
            done = mappings.import_entities(site, _pairs(batch), actor)
        self._admin.proposals.mapped(site.id, batch)
        return done, wrong

    def _asked(self, site: Site, keys: Sequence[str]) -> list[int]:
        """No certain twin for these: what policy does not hold goes on, and follows it."""
        # What was mapped waits no longer.
        waiting = set(self._admin.looks.waiting_keys(site))
        keys = [key for key in keys if key in waiting]
        self._admin.looks.note_asked(site.id, keys)
        if site.policy.unknown_entity is UnknownEntity.HOLD:
            return []
        released = self._admin.held.release_waiting(site, keys)
        self._bell.ring(released)
        return released


def _pairs(batch: Sequence[ProposedPair]) -> list[tuple[EntityRef, EntityRef]]:
    return [(pair.wix, pair.external) for pair in batch]


def _name(pair: ProposedPair) -> str:
    return f"{pair.wix.entity_id} and {pair.external.entity_id}"
