"""The maps of a site's products: looked at, proposed, confirmed, brought by a file, removed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import joined, said
from sync_worker.core.values import Site
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.files.mapping_files import read_entities
from sync_worker.files.proposals import ALL_WAYS, By
from sync_worker.files.rows import BadFile
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.mappings import Imported, ImportRefused
from sync_worker.ledger.console.maps import PAGE, MapLine, SqlMaps, WaitingThing
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right, Who
from sync_worker.services.onboarding.products import Products

__all__ = [
    "MAX_PROBLEMS",
    "WAYS",
    "By",
    "MapLine",
    "Mapped",
    "Maps",
    "MapsPage",
    "PairsPage",
    "RowsRefused",
    "WaitingThing",
    "mapped",
    "mapped_words",
]

WAYS = ALL_WAYS
MAX_FILE = 8 * 1024 * 1024  # bytes of a file that a page sends
MAX_PROBLEMS = 100  # shown of one file
MAX_TOLD = 5  # reasons why a pair is not mapped


class RowsRefused(Exception):
    """A file is not taken, and nothing of it was; ``problems``: by line, in words."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"{len(problems)} rows refused")
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class MapsPage:
    """``after``: where the next page begins; 0: this is the last one."""

    maps: Sequence[MapLine]
    after: int = 0


@dataclass(frozen=True, slots=True)
class PairsPage:
    """Pairs that the catalogues propose; ``counts``: all that are open, by what fits."""

    pairs: Sequence[ProposedPair]
    counts: dict[str, int]
    after: int = 0


@dataclass(frozen=True, slots=True)
class Mapped:
    """What was mapped. ``released``: deliveries that go on; ``refused``: why some were not."""

    added: int
    changed: int
    unchanged: int
    released: int
    refused: Sequence[str] = ()


def mapped_words(done: Mapped) -> str:
    """What was mapped, in a sentence or two."""
    counted = [said("%(num)s mapped", num=done.added)]
    if done.changed:
        counted.append(said("%(num)s changed", num=done.changed))
    if done.unchanged:
        counted.append(said("%(num)s were there already", num=done.unchanged))
    told = [joined("", [joined(", ", counted), "."])]
    if done.released:
        told.append(
            said("%(num)s deliveries that had waited are on the way now.", num=done.released)
        )
    if done.refused:
        few = "; ".join(done.refused[:MAX_TOLD])
        told.append(said("%(num)s could not be mapped: %(why)s.", num=len(done.refused), why=few))
    return joined(" ", told)


class Maps:
    """Each raises Forbidden, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin, products: Products) -> None:
        self._admin, self._products = admin, products
        self._maps = SqlMaps(admin.transactions)
        self._audit = SqlAudit(admin.transactions)

    def page(self, who: Who, site_id: int, word: str = "", after: int = 0) -> MapsPage:
        """Maps by their number; ``word``: an id of either side or a title, whole."""
        who.check(Right.LOOK, site_id)
        found = self._maps.page(site_id, word, after, PAGE + 1)
        is_more = len(found) > PAGE
        return MapsPage(found[:PAGE], found[PAGE - 1].entity.id if is_more else 0)

    def waiting(self, who: Who, site_id: int) -> list[WaitingThing]:
        """Things that are not mapped, by how many ratings wait for that."""
        who.check(Right.LOOK, site_id)
        return self._maps.waiting(self._site(site_id))

    def proposed(self, who: Who, site_id: int, after: int = 0) -> PairsPage:
        """Pairs for a person to confirm."""
        who.check(Right.LOOK, site_id)
        found = self._admin.proposals.open(site_id, after, PAGE + 1)
        is_more = len(found) > PAGE
        counts = self._admin.proposals.counts(site_id)
        return PairsPage(found[:PAGE], counts, found[PAGE - 1].id if is_more else 0)

    def confirm(self, who: Who, site_id: int, numbers: Sequence[int]) -> Mapped:
        """These pairs are one thing each."""
        who.check(Right.MAP, site_id)
        done = self._products.confirm_some(self._site(site_id), numbers, who.name)
        return mapped(*done)

    def confirm_all(
        self, who: Who, site_id: int, ways: Sequence[By] = ALL_WAYS, seen: int | None = None
    ) -> Mapped:
        """All open pairs by these ways are one thing each.

        ``seen``: how many there were when somebody looked. Raises ChangedMeanwhile.
        """
        who.check(Right.MAP, site_id)
        counts = self._admin.proposals.counts(site_id)
        there = sum(counts.get(way, 0) for way in ways)
        if seen is not None and seen != there:
            raise ChangedMeanwhile(
                said(
                    "There were %(seen)s pairs when you looked, and are %(now)s now.",
                    seen=seen,
                    now=there,
                )
            )
        return mapped(*self._products.confirm(self._site(site_id), ways, who.name))

    def refuse(self, who: Who, site_id: int, numbers: Sequence[int]) -> int:
        """These are not one thing; they are not proposed again. How many there were."""
        who.check(Right.MAP, site_id)
        refused = self._admin.proposals.refuse(site_id, numbers)
        if refused:
            after = {"pairs": sorted(set(numbers)), "refused": refused}
            self._audit.add(who.name, "map.refuse_pairs", site_id=site_id, after=after)
        return refused

    def add(self, who: Who, site_id: int, content: bytes, why: str = "") -> Mapped:
        """Map what a CSV file says, whole or not at all. Raises RowsRefused."""
        who.check(Right.MAP, site_id)
        if len(content) > MAX_FILE:
            raise RowsRefused(
                [
                    said(
                        "the file is larger than %(size)s MiB: send it in parts",
                        size=MAX_FILE // 2**20,
                    )
                ]
            )
        with tempfile.TemporaryDirectory(prefix="maps") as folder:
            file = Path(folder) / "line"
            file.write_bytes(content)
            return self._added(self._site(site_id), file, who.name, why)

    def _added(self, site: Site, file: Path, actor: str, why: str) -> Mapped:
        try:
            rows = read_entities(file)
            done = self._admin.mappings.import_entities(site, rows.rows, actor, why)
        except BadFile as bad:
            raise RowsRefused([_line(problem, file) for problem in bad.problems]) from None
        except ImportRefused as refused:
            problems = sorted(refused.problems.items())
            told = [rows.problem(position, reason) for position, reason in problems]
            raise RowsRefused([_line(problem, file) for problem in told]) from None
        return mapped(done)

    def remove(self, who: Who, site_id: int, map_id: int, why: str = "") -> str:
        """Take a map away that no rating uses; what was done, in a sentence."""
        who.check(Right.MAP, site_id)
        gone = self._maps.remove(site_id, map_id, who.name, why)
        return said(
            "The map of %(wix)s to %(external)s is removed. No rating was linked by it; a new one"
            " waits until the product is mapped again.",
            wix=gone.wix.entity_id,
            external=gone.external.entity_id,
        )

    def remove_named(
        self, who: Who, site_id: int, wix_id: str, external_id: str, why: str = ""
    ) -> str:
        """The same for the one map with these ids; an empty one does not matter."""
        who.check(Right.MAP, site_id)
        found = self._maps.find(site_id, wix_id, external_id)
        if not found:
            raise Misconfigured(
                f"site {site_id} has no map of {wix_id or 'anything'} to"
                f" {external_id or 'anything'}: `ratings-sync map entities list --site {site_id}`"
            )
        if len(found) > 1:
            raise Misconfigured(
                f"{len(found)} maps of site {site_id} have this id: name both, --wix and --external"
            )
        return self.remove(who, site_id, found[0].id, why)

    def _site(self, site_id: int) -> Site:
        return self._admin.sites.find(str(site_id))


def _line(problem: str, file: Path) -> str:
    """``line 3: why``, for whoever does not know our file's name."""
    return problem.replace(f"{file}:", "line ", 1).replace(f"{file}: ", "", 1)


def mapped(done: Imported, refused: Sequence[str] = ()) -> Mapped:
    """What came of it, as programs are told."""
    return Mapped(done.added, done.changed, done.unchanged, len(done.released), refused)
