"""Takes a site from its installation to its start; one service for commands, API and console."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured, SyncError
from sync_worker.core.values import AutoMap, Site, SiteState, UnknownEntity
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.services.onboarding.products import Products
from sync_worker.services.onboarding.steps import (
    NEVER_SKIPPED,
    OVER,
    Progress,
    Result,
    Step,
    StepState,
    lines_of,
)

Perform = Callable[[Site], Result]
NO_STEPS: Collection[Step] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveSteps:
    """The steps that need the live systems. Each says what it came to, or raises SyncError."""

    probe: Perform
    webhooks: Perform
    scale: Perform
    dry_run: Perform
    start: Perform


class Onboarding:
    """The steps of sites. Whoever acts is named; what a step said stays on file."""

    def __init__(
        self, admin: LedgerAdmin, products: Products, live: LiveSteps, audit: SqlAudit
    ) -> None:
        self._admin, self._products, self._audit = admin, products, audit
        self._performs: Mapping[Step, Perform] = {
            Step.INSTALLED: _installed,
            Step.ACCOUNT: _account,
            Step.PROBE: live.probe,
            Step.WEBHOOKS: live.webhooks,
            Step.CATALOGUES: self._catalogues,
            Step.PAIRS: self._pairs,
            Step.SCALE: live.scale,
            Step.DRY_RUN: live.dry_run,
            Step.START: live.start,
        }

    def progress(self, site: Site) -> Progress:
        """Where a site stands. What the ledger shows itself is not taken from what was noted."""
        lines = lines_of(self._admin.onboarding.steps(site.id))
        return Progress(site.id, lines)

    def go_on(self, site: Site, actor: str, confirmed: Collection[Step] = NO_STEPS) -> Progress:
        """Do what can be done, up to the first step that needs a person or has failed.

        ``confirmed``: the steps that a person says yes to, once they have shown what they would do.
        """
        for line in self.progress(site).lines:
            # The account may have been taken away since.
            if line.state in OVER and line.step is not Step.ACCOUNT:
                continue
            result = self._performed(line.step, site, line.step in confirmed)
            self._admin.onboarding.note(site.id, line.step, result.state, result.words, actor)
            if line.step in confirmed and result.state in OVER:
                self._audit.add(actor, f"onboard.{line.step}", site_id=site.id, why=result.words)
            if result.state not in OVER:
                break
        progress = self.progress(site)
        if progress.is_finished:
            self._admin.onboarding.end(site.id)
        return progress

    def again(self, site: Site, step: Step, actor: str) -> Progress:
        """A step, and all that follow from it, are to be done anew."""
        later = list(Step)[list(Step).index(step) :]
        for one in later:
            self._admin.onboarding.note(site.id, one, StepState.TO_DO, "", actor)
        return self.progress(site)

    def skip(self, site: Site, step: Step, why: str, actor: str) -> Progress:
        """A person does without a step. Raises Misconfigured for what no site can do without."""
        if step in NEVER_SKIPPED:
            raise Misconfigured(f"the step {step} cannot be left out")
        self._admin.onboarding.note(site.id, step, StepState.SKIPPED, why, actor)
        self._audit.add(actor, f"onboard.skip_{step}", site_id=site.id, why=why)
        return self.progress(site)

    def _performed(self, step: Step, site: Site, is_confirmed: bool) -> Result:
        """What a step comes to; a failure is one of its results."""
        if not site.is_at_work and step not in (Step.INSTALLED, Step.ACCOUNT):
            why = f"the site is at rest ({site.why_at_rest}); let it go on first"
            return Result(StepState.WAITS, why)
        try:
            return self._answered(step, site, is_confirmed)
        except SyncError as error:
            return Result(StepState.FAILED, str(error))

    def _answered(self, step: Step, site: Site, is_confirmed: bool) -> Result:
        """A step that needs a yes shows what it would do until it has one. Raises SyncError."""
        if step is Step.PAIRS and is_confirmed:
            return self._confirmed_pairs(site)
        # The start is nothing but its act.
        if step is Step.START and not is_confirmed:
            return Result(StepState.WAITS, "everything is ready: say yes to the start")
        result = self._performs[step](site)
        if step is Step.SCALE and not is_confirmed:
            return Result(StepState.WAITS, result.words)
        return result

    def _catalogues(self, site: Site) -> Result:
        looked = self._products.look(site)
        if looked.why_not:
            return Result(StepState.DONE, f"not read: {looked.why_not}")
        found = looked.counts
        words = (
            f"{found['wix']} products on Wix, {found['external']} outside;"
            f" {looked.proposed} pairs proposed, {found['doubtful']} without a certain twin"
        )
        if looked.mapped:
            words += f", {looked.mapped} mapped by auto_map={site.policy.auto_map}"
        return Result(StepState.DONE, words)

    def _pairs(self, site: Site) -> Result:
        """Shown for a yes; with nothing proposed, what is mapped already will do."""
        proposed = self._admin.proposals.counts(site.id)
        if proposed:
            by = ", ".join(f"{many} by {way}" for way, many in sorted(proposed.items()))
            return Result(StepState.WAITS, f"{sum(proposed.values())} pairs to confirm: {by}")
        mapped = len(self._admin.mappings.entities(site.id))
        policy = site.policy
        maps_itself = policy.unknown_entity is UnknownEntity.SAME_ID
        if mapped or maps_itself or policy.auto_map is not AutoMap.OFF:
            return Result(StepState.DONE, f"{mapped} things are mapped")
        return Result(
            StepState.WAITS,
            "nothing is mapped and nothing proposed: `ratings-sync map entities import FILE`, or"
            " skip this step; what is not mapped waits until it is",
        )

    def _confirmed_pairs(self, site: Site) -> Result:
        done, wrong = self._products.confirm(site)
        words = f"{done.added} pairs mapped, {len(done.released)} held deliveries go on"
        if wrong:
            words += f"; {len(wrong)} could not be: {wrong[0]}"
        return Result(StepState.DONE, words)


def _installed(site: Site) -> Result:
    if site.state is SiteState.REMOVED:
        return Result(StepState.FAILED, "the app is removed from the site")
    return Result(StepState.DONE, f"instance {site.instance_id}")


def _account(site: Site) -> Result:
    if not site.external_source:
        return Result(
            StepState.WAITS,
            "the site waits for its account: `ratings-sync account add`; its deliveries are kept",
        )
    return Result(StepState.DONE, f"external deliveries come from {site.external_source}")
