"""Takes a site from its installation to its start; one service for commands, API and console."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured, SyncError
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.said import joined, kept, said, within
from sync_worker.core.values import AccountState, AutoMap, Site, SiteState, UnknownEntity
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.services.accounts.standing import current_address
from sync_worker.services.onboarding.products import Products
from sync_worker.services.onboarding.steps import (
    NEVER_SKIPPED,
    OVER,
    Progress,
    Result,
    Step,
    StepLine,
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
        self, admin: LedgerAdmin, products: Products, live: LiveSteps, accounts: SqlAccountStore
    ) -> None:
        self._admin, self._products, self._accounts = admin, products, accounts
        self._audit = accounts.audit
        self._performs: Mapping[Step, Perform] = {
            Step.INSTALLED: _installed,
            Step.ACCOUNT: self._account,
            Step.PROBE: live.probe,
            Step.WEBHOOKS: live.webhooks,
            Step.CATALOGUES: self._catalogues,
            Step.SCALE: live.scale,
            Step.DRY_RUN: live.dry_run,
            Step.START: live.start,
        }

    def progress(self, site: Site) -> Progress:
        """Where a site stands. What the ledger shows itself is not taken from what was noted."""
        address = self._address(site)
        kept = self._admin.onboarding.steps(site.id)
        lines = lines_of(kept, lambda step: _made_with(step, site, address))
        if site.state is SiteState.REMOVED:
            gone = _installed(site)
            lines[0] = StepLine(Step.INSTALLED, gone.state, gone.words)
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
            self._note(site, line.step, result, actor)
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
            raise Misconfigured(said("the step %(step)s cannot be left out", step=step))
        self._note(site, step, Result(StepState.SKIPPED, why), actor)
        self._audit.add(actor, f"onboard.skip_{step}", site_id=site.id, why=why)
        return self.progress(site)

    def _note(self, site: Site, step: Step, result: Result, actor: str) -> None:
        made_with = _made_with(step, site, self._address(site))
        self._admin.onboarding.note(
            site.id,
            step,
            result.state,
            result.words,
            actor,
            made_with=made_with,
            form=kept(result.words),
        )

    def _address(self, site: Site) -> str:
        """The last part of where its account's webhooks go; empty for one of the environment."""
        account = self._accounts.of_site(site.id)
        return "" if account is None else current_address(account)

    def _performed(self, step: Step, site: Site, is_confirmed: bool) -> Result:
        """What a step comes to; a failure is one of its results."""
        if not site.is_at_work and step not in (Step.INSTALLED, Step.ACCOUNT):
            why = said(
                "the site is at rest (%(why)s); let it go on first",
                why=within(hold_reason(site.why_at_rest).title),
            )
            return Result(StepState.WAITS, why)
        try:
            return self._answered(step, site, is_confirmed)
        except SyncError as error:
            is_told = not str(error.facts)
            return Result(StepState.FAILED, error.message if is_told else str(error))

    def _answered(self, step: Step, site: Site, is_confirmed: bool) -> Result:
        """A step that needs a yes shows what it would do until it has one. Raises SyncError."""
        if step is Step.PAIRS:
            return self._pairs(site, is_confirmed=is_confirmed)
        # The start is nothing but its act.
        if step is Step.START and not is_confirmed:
            return Result(StepState.WAITS, said("everything is ready: say yes to the start"))
        result = self._performs[step](site)
        if step is Step.SCALE and not is_confirmed:
            return Result(StepState.WAITS, result.words)
        # A person has made what we cannot make.
        if step is Step.WEBHOOKS and is_confirmed and result.state is StepState.WAITS:
            return Result(StepState.DONE, joined("\n", [result.words, said("made, as was said")]))
        return result

    def _account(self, site: Site) -> Result:
        if site.account_state is AccountState.REVOKED:
            words = said(
                "the account %(account)s is revoked, the site waits for another; what comes for it"
                " meanwhile is kept",
                account=site.external_source,
            )
            return Result(StepState.WAITS, words)
        if not site.external_source:
            words = said("the site waits for its account; what comes for it meanwhile is kept")
            return Result(StepState.WAITS, words)
        words = said("external deliveries come from %(account)s", account=site.external_source)
        if address := self._address(site):
            path = f"/webhooks/external/{site.connector}/{address}"
            words = said(
                "external deliveries come from %(account)s, its webhooks to %(path)s",
                account=site.external_source,
                path=path,
            )
        return Result(StepState.DONE, words)

    def _catalogues(self, site: Site) -> Result:
        looked = self._products.look(site)
        if looked.why_not:
            return Result(StepState.DONE, said("not read: %(why)s", why=looked.why_not))
        found = looked.counts
        told = [
            said(
                "%(wix)s products on Wix, %(external)s outside; %(proposed)s pairs proposed,"
                " %(doubtful)s without a certain twin",
                wix=found["wix"],
                external=found["external"],
                proposed=looked.proposed,
                doubtful=found["doubtful"],
            )
        ]
        if looked.mapped:
            policy = f"auto_map={site.policy.auto_map}"
            told.append(said("%(num)s mapped by %(policy)s", num=looked.mapped, policy=policy))
        return Result(StepState.DONE, joined(", ", told))

    def _pairs(self, site: Site, *, is_confirmed: bool) -> Result:
        """Shown for a yes; with nothing proposed, what is mapped already will do."""
        proposed = self._admin.proposals.counts(site.id)
        if proposed and is_confirmed:
            return self._confirmed_pairs(site)
        if proposed:
            by = [said("%(num)s by %(way)s", num=n, way=way) for way, n in sorted(proposed.items())]
            words = said(
                "%(num)s pairs to confirm: %(by)s", num=sum(proposed.values()), by=joined(", ", by)
            )
            return Result(StepState.WAITS, words)
        mapped = len(self._admin.mappings.entities(site.id))
        policy = site.policy
        maps_itself = policy.unknown_entity is UnknownEntity.SAME_ID
        if mapped or maps_itself or policy.auto_map is not AutoMap.OFF:
            return Result(StepState.DONE, said("%(num)s things are mapped", num=mapped))
        return Result(
            StepState.WAITS,
            said(
                "nothing is mapped and nothing proposed, so no rating can cross: map products from"
                " a file, or do without this step; what is not mapped waits until it is"
            ),
        )

    def _confirmed_pairs(self, site: Site) -> Result:
        done, wrong = self._products.confirm(site)
        told = [
            said(
                "%(added)s pairs mapped, %(released)s held deliveries go on",
                added=done.added,
                released=len(done.released),
            )
        ]
        if wrong:
            told.append(said("%(num)s could not be: %(why)s", num=len(wrong), why=wrong[0]))
        return Result(StepState.DONE, joined("; ", told))


def _installed(site: Site) -> Result:
    if site.state is SiteState.REMOVED:
        return Result(StepState.FAILED, said("the app is removed from the site"))
    return Result(StepState.DONE, said("instance %(instance)s", instance=site.instance_id))


def _made_with(step: Step, site: Site, address: str) -> str:
    """What a step is of: an account, and for its webhooks its address; the first one of neither."""
    if step is Step.INSTALLED:
        return ""
    if site.account_state is AccountState.REVOKED:
        return ""
    if step is Step.WEBHOOKS:
        return f"{site.external_source} at {address}"
    return site.external_source
