"""The live steps by which a site comes to work, as the doctor's checks and the sweeps do them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from sync_worker.core.said import joined, said, sentence
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Site
from sync_worker.doctor.check import Check
from sync_worker.doctor.live.accounts import NO_WEBHOOKS, account_checks, make_it_yourself
from sync_worker.doctor.live.dry_run import BUSY, dry_run
from sync_worker.doctor.live.pace import Patience
from sync_worker.doctor.remotes import external_checks, wix_checks
from sync_worker.services.accounts.standing import current_address
from sync_worker.services.onboarding.onboarding import LiveSteps, Onboarding
from sync_worker.services.onboarding.products import Products
from sync_worker.services.onboarding.steps import Result, StepState
from sync_worker.wiring import Wiring
from sync_worker.wiring.sweeps import NoBell

WEBHOOKS = "webhooks"
SIGNS = {"ok": "✓", "note": "!", "bad": "✗", "skipped": "-"}


def onboarding_of(wiring: Wiring) -> Onboarding:
    """The steps of sites, over the parts of a process."""
    live = _Live(wiring)
    products = Products(wiring.admin, wiring.remotes.catalogues, NoBell())
    steps = LiveSteps(live.probe, live.webhooks, _scale, live.dry_run, live.start)
    return Onboarding(wiring.admin, products, steps, wiring.accounts.store)


@dataclass(frozen=True, slots=True)
class _Live:
    wiring: Wiring

    def probe(self, site: Site) -> Result:
        """The doctor's checks for this site, but for its webhooks."""
        checks = [check for check in self._checks(site) if check.name != WEBHOOKS]
        result = _result_of(checks)
        account = self.wiring.accounts.store.of_site(site.id)
        if account is not None:
            is_good = result.state is StepState.DONE
            said = {"good": is_good, "checks": [asdict(check) for check in checks]}
            self.wiring.accounts.note_probe(account, said, "onboard")
        return result

    def webhooks(self, site: Site) -> Result:
        """Registered, or what to paste where: then a person says yes, or a first one has come."""
        manifest = self.wiring.connectors.code_of(site.connector).code
        account = self.wiring.accounts.store.of_site(site.id)
        if account is not None:
            checks = [check for check in self._checks(site) if check.name == WEBHOOKS]
            result = _webhooks_result(checks)
        else:
            result = Result(StepState.DONE, self._by_hand(site))
        if manifest.webhook is None or result.state is not StepState.DONE:
            return result
        # Workers make those of an account where they know the gateway's address; those of the
        # environment's shop a command makes.
        is_ours = account is not None and bool(self.wiring.settings.gateway_public_url)
        if is_ours and manifest.webhook.manage is not None:
            return result
        # What has come may have come to an address that ends.
        if account is not None and current_address(account) != account.public_id:
            return Result(StepState.WAITS, result.words)
        state = self.wiring.admin.hook_states.of(site.external_source)
        if state is not None and state.heard_ago is not None:
            return result
        return Result(StepState.WAITS, result.words)

    def _checks(self, site: Site) -> Iterator[Check]:
        account = self.wiring.accounts.store.of_site(site.id)
        if account is not None:
            yield from account_checks(self.wiring, account, site)
            return
        yield from wix_checks(self.wiring, site)
        remotes, manifest = self.wiring.remotes, self.wiring.connectors.manifest(site.connector)
        yield from external_checks(
            f"connector {manifest.id}",
            manifest,
            remotes.external(site.external_source),
            lambda: remotes.external_http(site.external_source, Patience()),
        )

    def _by_hand(self, site: Site) -> str:
        """For a shop whose settings stand in the environment."""
        manifest = self.wiring.connectors.manifest(site.connector)
        public = self.wiring.settings.gateway_public_url or "https://YOUR-GATEWAY"
        url = f"{public.rstrip('/')}/webhooks/external/{site.connector}"
        if manifest.webhook is None:
            return NO_WEBHOOKS
        if manifest.webhook.manage is None:
            return make_it_yourself(url)
        return f"`ratings-sync connector webhooks register {site.connector} --url {url}`"

    def dry_run(self, site: Site) -> Result:
        """Compare both sides whole and say what the start would do. Raises SyncError."""
        return dry_run(self.wiring, site)

    def start(self, site: Site) -> Result:
        """Open the first comparison: the workers carry it out."""
        runs = self.wiring.sweeps.runs
        sweep: Sweep | None = runs.begin(site.id, RunKind.SWEEP)
        if sweep is None:
            return Result(StepState.FAILED, BUSY)
        runs.hand_to_workers(sweep)
        return Result(StepState.DONE, said("the workers bring both sides in step now"))


def _scale(site: Site) -> Result:
    """Each mapped field with both of its scales."""
    lines = [
        f"{field.attribute} ({field.wix}) ↔ {field.external_field} ({field.external}),"
        f" {field.mapping}"
        for field in site.fields
    ]
    if not lines:
        return Result(
            StepState.FAILED, said("no field is mapped: `ratings-sync map fields import`")
        )
    return Result(StepState.DONE, "\n".join(lines))


def _result_of(checks: Sequence[Check]) -> Result:
    """One line for each; one that is bad fails the step."""
    lines = [" ".join(filter(None, (SIGNS[one.verdict], _line(one)))) for one in checks]
    is_bad = any(check.verdict == "bad" for check in checks)
    return Result(StepState.FAILED if is_bad else StepState.DONE, "\n".join(lines))


def _webhooks_result(checks: Sequence[Check]) -> Result:
    """In the words of whoever owns the shop: what is so, and what to do."""
    told = [one.next_step or one.what for one in checks if one.verdict == "note"]
    told += [one.what for one in checks if one.verdict in ("ok", "skipped")]
    bad = [joined("; ", [one.what, one.next_step]) for one in checks if one.verdict == "bad"]
    state = StepState.FAILED if bad else StepState.DONE
    return Result(state, joined("\n", [sentence(line) for line in bad + told]))


def _line(check: Check) -> str:
    step = f"; {check.next_step}" if check.next_step else ""
    return f"{check.name}: {check.what}{step}"
