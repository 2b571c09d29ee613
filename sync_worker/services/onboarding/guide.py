"""The first steps of a site for who may see and take them; workers do what asks live systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Site
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right, Who
from sync_worker.services.onboarding.document import (
    ShownSteps,
    asks_for_yes,
    can_be_skipped,
    shown_steps,
)
from sync_worker.services.onboarding.onboarding import LiveSteps, Onboarding
from sync_worker.services.onboarding.steps import Progress, Result, Step, StepLine
from sync_worker.services.sites.mapping import WAYS, Maps

MAX_WHY = 256


class Asking(Protocol):
    """What lets workers do something. Raises Misconfigured, Transient."""

    def onboard(self, site_id: int, confirmed: Sequence[str], actor: str) -> None:
        """Go on with the steps of a site, up to the first that needs a person."""


@dataclass(frozen=True, slots=True)
class GuidePage:
    """``pairs``: some of those to confirm; ``counts``: all of them, by what fits."""

    lines: Sequence[StepLine]
    following: StepLine | None
    pairs: Sequence[ProposedPair]
    counts: dict[str, int]

    @property
    def asks(self) -> bool:
        """Whether the next step waits for somebody's yes."""
        return asks_for_yes(self.following, has_pairs=bool(self.counts))

    @property
    def planned(self) -> str:
        """What the start would write, in the words of the dry run; empty before it."""
        return next((line.words for line in self.lines if line.step is Step.DRY_RUN), "")

    @property
    def can_skip(self) -> bool:
        return can_be_skipped(self.following)


class Guide:
    """Each raises Forbidden, Misconfigured, Transient."""

    def __init__(
        self, admin: LedgerAdmin, onboarding: Onboarding, maps: Maps, asking: Asking
    ) -> None:
        self._admin, self._onboarding = admin, onboarding
        self._maps, self._asking = maps, asking

    def page(self, who: Who, site_id: int) -> GuidePage:
        """Where a site stands. Asks nobody."""
        who.check(Right.LOOK, site_id)
        progress = self._progress(site_id)
        following = progress.following
        if following is None or following.step is not Step.PAIRS:
            return GuidePage(progress.lines, following, (), {})
        proposed = self._maps.proposed(who, site_id)
        return GuidePage(progress.lines, following, proposed.pairs, proposed.counts)

    def shown(self, who: Who, site_id: int) -> ShownSteps:
        """The same for programs."""
        who.check(Right.LOOK, site_id)
        proposed = sum(self._admin.proposals.counts(site_id).values())
        return shown_steps(self._progress(site_id), proposed)

    def is_under_way(self, who: Who, site_id: int) -> bool:
        """Whether somebody has begun with the steps of a site, and some are left."""
        who.check(Right.LOOK, site_id)
        is_begun = bool(self._admin.onboarding.steps(site_id))
        return is_begun and not self._progress(site_id).is_finished

    def go_on(self, who: Who, site_id: int, seen: str = "", *, says_yes: bool = False) -> str:
        """Let a worker go on. ``seen``: the next step, as the page showed it; ``says_yes``: to it.

        Raises ChangedMeanwhile where another step is the next one by now.
        """
        who.check(Right.COMPARE, site_id)
        confirmed: list[str] = []
        if says_yes:
            confirmed = self._confirmed(who, site_id, seen)
        self._asking.onboard(site_id, confirmed, who.name)
        return said("A worker goes on with the steps now; each stands here once it is done.")

    def skip(self, who: Who, site_id: int, seen: str, why: str) -> str:
        """Do without the next step, and go on."""
        who.check(Right.COMPARE, site_id)
        step = self._refuse_changed(site_id, seen)
        if not why:
            raise Misconfigured(
                said("say why the step is left out: whoever looks it up wants to know")
            )
        self._onboarding.skip(self._site(site_id), step, why[:MAX_WHY], who.name)
        self._asking.onboard(site_id, [], who.name)
        return said("The step is left out, and a worker goes on now.")

    def again(self, who: Who, site_id: int, name: str) -> str:
        """A step that is over, and all that follow from it, anew."""
        who.check(Right.COMPARE, site_id)
        if name not in tuple(Step):
            raise Misconfigured(said("there is no step %(name)s", name=repr(name[:32])))
        self._onboarding.again(self._site(site_id), Step(name), who.name)
        self._asking.onboard(site_id, [], who.name)
        return said("A worker does the step anew now, and what follows from it.")

    def _confirmed(self, who: Who, site_id: int, seen: str) -> list[str]:
        step = self._refuse_changed(site_id, seen)
        if step is not Step.PAIRS:
            return [str(step)]
        # Here and by name, so that the audit says who said which things are the same.
        self._maps.confirm_all(who, site_id, WAYS)
        return []

    def _refuse_changed(self, site_id: int, seen: str) -> Step:
        following = self._progress(site_id).following
        if following is None or following.step != seen:
            raise ChangedMeanwhile(
                said("The next step is another one by now: look at the page again.")
            )
        return following.step

    def _progress(self, site_id: int) -> Progress:
        return self._onboarding.progress(self._site(site_id))

    def _site(self, site_id: int) -> Site:
        return self._admin.sites.find(str(site_id))


def _for_workers(site: Site) -> Result:
    raise Misconfigured("this process asks no live system; a worker does")


# Of a process that calls no remote.
FOR_WORKERS = LiveSteps(_for_workers, _for_workers, _for_workers, _for_workers, _for_workers)
