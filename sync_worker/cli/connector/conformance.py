"""``ratings-sync connector conformance``: what a system really does, beside what is declared."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

import click

from sync_worker.cli.connector.manifests import NAME, file_of, set_up_manifest
from sync_worker.cli.options import JSON, example
from sync_worker.config import environment, load_settings
from sync_worker.core.values import EntityRef
from sync_worker.doctor.clean_ground import refuse_what_crosses, refuse_what_stays
from sync_worker.doctor.conformance import Conformance
from sync_worker.doctor.live.catalogue import measure_catalogue
from sync_worker.doctor.live.pace import pace_of
from sync_worker.doctor.measured import Measured
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.catalogue import catalogue_of
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.telemetry.logs import set_up_logs
from sync_worker.wiring import wiring

RULE_SLACK_SECONDS = 1.0
DEFAULT_SECONDS = 30.0  # of a system without webhooks, for its search


@example("ratings-sync connector conformance woocommerce --allow-writes --product 22")
@click.command("conformance")
@NAME
@click.option(
    "--allow-writes", is_flag=True, help="Rate the test product as a made-up person, and clean up."
)
@click.option(
    "--product", metavar="ID", help="The test product, by the system's own id; map it to nothing."
)
@click.option(
    "--wait",
    type=float,
    help="Seconds to wait for an event or a search; by default webhook.delay_s of the manifest.",
)
@JSON
def conformance(
    name: str, allow_writes: bool, product: str | None, wait: float | None, as_json: bool
) -> None:
    """Measure a live system or a stand-in, and say where declared and measured differ (exit code
    1).

    Without --allow-writes it only reads. Events are seen where the gateway of this ledger runs and
    the system reaches it. Test records are deleted at the end.
    """
    if allow_writes != (product is not None):
        raise click.UsageError(
            "--allow-writes and --product go together: name the product that may be rated"
        )
    settings = load_settings(environment())
    set_up_logs(settings.log_format, settings.log_level)
    manifest = set_up_manifest(file_of(name))
    http = http_of(manifest, pace_of(manifest), OwnTokens())
    make = partial(
        Conformance,
        remote_of(manifest, http),
        manifest.scale.scale,
        EntityRef(product or ""),
        events_of(manifest),
    )
    seconds = seconds_to_wait(manifest, wait)
    try:
        if product is None:
            suite = make(lambda ids: [], time.sleep, time.monotonic, seconds, writes_follow=False)
            measured = list(suite.read())
        else:
            suite, measured = _with_writes(manifest, make, product, seconds)
        if manifest.operations.catalogue is not None or manifest.operations.no_catalogue:
            measured += measure_catalogue(catalogue_of(manifest, http))
    finally:
        http.close()
    _tell(manifest, measured, suite.made, as_json)
    sys.exit(1 if any(line.differs for line in measured) or suite.made else 0)


def _with_writes(
    manifest: Manifest, make: Callable[..., Conformance], product: str, seconds: float
) -> tuple[Conformance, list[Measured]]:
    """Read and write, where nothing of it stays. Raises Misconfigured."""
    refuse_what_stays(manifest)
    admin = wiring().admin
    for site in admin.sites.all():
        if site.connector == manifest.id:
            refuse_what_crosses(site, admin.mappings.entities(site.id), product)
    questions, began = admin.questions, admin.questions.now() - RULE_SLACK_SECONDS
    suite = make(
        lambda ids: questions.heard(manifest.id, ids, began), time.sleep, time.monotonic, seconds
    )
    try:
        measured = [*suite.read(), *suite.write()]
    finally:
        if suite.ever_made:
            ids = [*suite.ever_made, product]
            questions.close_held(manifest.id, ids, began, "conformance")
    return suite, measured


def seconds_to_wait(manifest: Manifest, given: float | None) -> float:
    """As long as a person says, else as long as an event of this system may take."""
    if given is not None:
        return given
    return float(manifest.webhook.delay_s) if manifest.webhook is not None else DEFAULT_SECONDS


def events_of(manifest: Manifest) -> frozenset[str]:
    """The kinds of change that the manifest can hear of."""
    if manifest.webhook is None:
        return frozenset()
    return frozenset(rule.change for rule in manifest.webhook.events)


def _tell(
    manifest: Manifest, measured: Sequence[Measured], left: Sequence[str], as_json: bool
) -> None:
    if as_json:
        rows = [asdict(line) | {"differs": line.differs} for line in measured]
        click.echo(
            json.dumps({"connector": manifest.id, "measured": rows, "left_behind": list(left)})
        )
        return
    for line in measured:
        declared = f" (declared: {line.declared})" if line.differs else ""
        key = f"; check {line.key}" if line.differs and line.key else ""
        click.echo(f"{_mark(line)} {line.what}: {line.seen}{declared}{key}")
    if left:
        click.echo(f"left behind, delete by hand: {', '.join(left)}")


def _mark(line: Measured) -> str:
    if not line.is_known:
        return "?"
    if line.declared is None:
        return "·"
    return "✗" if line.differs else "✓"
