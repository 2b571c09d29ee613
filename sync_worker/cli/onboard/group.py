"""``ratings-sync onboard``: the steps of a site, left and resumed at any time."""

from __future__ import annotations

import click

from sync_worker.cli.onboard.pairs import pairs
from sync_worker.cli.options import JSON, SITE, actor, the_site
from sync_worker.cli.output import document_of, print_json, say
from sync_worker.doctor.live.site_steps import onboarding_of
from sync_worker.services.onboarding.document import shown_steps
from sync_worker.services.onboarding.steps import ASKS, Progress, Step, StepLine, StepState
from sync_worker.wiring import wiring

STEP = click.argument("step", type=click.Choice([str(step) for step in Step]))
COLOURS = {StepState.FAILED: "red", StepState.WAITS: "yellow", StepState.DONE: "green"}
SHOWN = 200  # characters of what a step said, in the list of all


@click.group(epilog="Example: ratings-sync onboard run --site 7")
def onboard() -> None:
    """Bring a site to work by steps that can be left and resumed.

    installed, account, probe, webhooks, catalogues, pairs, scale, dry_run, start.
    """


@onboard.command(epilog="Example: ratings-sync onboard status --site 7 --json")
@SITE
@JSON
def status(site_name: str | None, as_json: bool) -> None:
    """Where a site stands, and its next step. Asks nobody."""
    site = the_site(site_name)
    last = wiring().admin.looks.last(site.id)
    if last is not None and last.failed:
        words = f"the catalogues could not be read {last.seconds_ago:.0f} s ago: {last.failed}"
        say(words, err=True, fg="red")
    _tell(onboarding_of(wiring()).progress(site), as_json=as_json)


@onboard.command(epilog="Example: ratings-sync onboard run --site 7 --confirm pairs")
@SITE
@click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    type=click.Choice([str(step) for step in ASKS]),
    help="Say yes to what this step has shown.",
)
@click.option("--yes", is_flag=True, help="Say yes to all of them.")
@JSON
def run(site_name: str | None, confirmed: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Go on with a site, up to the first step that needs a person.

    Status 1 if a step has failed: mend what it says, and run it again.
    """
    agreed = ASKS if yes else [Step(name) for name in confirmed]
    service = onboarding_of(wiring())
    progress = service.go_on(the_site(site_name), actor(), agreed)
    _tell(progress, as_json=as_json)
    following = progress.following
    has_failed = following is not None and following.state is StepState.FAILED
    raise SystemExit(1 if has_failed else 0)


@onboard.command(epilog='Example: ratings-sync onboard skip pairs --site 7 --why "mapped later"')
@STEP
@SITE
@click.option("--why", required=True, metavar="TEXT", help="For whoever looks it up later.")
@JSON
def skip(step: str, site_name: str | None, why: str, as_json: bool) -> None:
    """Do without a step."""
    service = onboarding_of(wiring())
    _tell(service.skip(the_site(site_name), Step(step), why, actor()), as_json=as_json)


@onboard.command(epilog="Example: ratings-sync onboard again catalogues --site 7")
@STEP
@SITE
@JSON
def again(step: str, site_name: str | None, as_json: bool) -> None:
    """Do a step anew, and all that follow it."""
    service = onboarding_of(wiring())
    _tell(service.again(the_site(site_name), Step(step), actor()), as_json=as_json)


onboard.add_command(pairs)


def _tell(progress: Progress, *, as_json: bool) -> None:
    following = progress.following
    if as_json:
        proposed = sum(wiring().admin.proposals.counts(progress.site_id).values())
        # ``site``: its older name.
        shown = shown_steps(progress, proposed)
        print_json({**document_of(shown), "site": progress.site_id})
        return
    for line in progress.lines:
        say(f"{line.step:<11} {line.state:<8} {_shown(line)}".rstrip(), fg=COLOURS.get(line.state))
    if following is None:
        click.echo(f"site {progress.site_id} is at work")
        return
    click.echo(f"next: {_next_words(following, progress.site_id)}")


def _shown(line: StepLine) -> str:
    """The first line of what it said; a step that is not over says all."""
    if line.state in (StepState.FAILED, StepState.WAITS):
        return line.words.replace("\n", f"\n{'':<21}")
    return line.words.partition("\n")[0][:SHOWN]


def _next_words(line: StepLine, site_id: int) -> str:
    """The command of the next step."""
    run_it = f"ratings-sync onboard run --site {site_id}"
    match line.step:
        case Step.ACCOUNT:
            return f"ratings-sync account add {site_id} --connector NAME, then {run_it}"
        case Step.PAIRS if not wiring().admin.proposals.counts(site_id):
            skip = f"ratings-sync onboard skip pairs --site {site_id} --why TEXT"
            return (
                f"ratings-sync map entities import FILE --site {site_id}, then {run_it}; or {skip}"
            )
        case step if step in ASKS and line.state is StepState.WAITS:
            return f"{run_it} --confirm {step}"
        case _:
            return run_it
