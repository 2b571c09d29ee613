"""``ratings-sync connector conformance``: what a system really does, beside what is declared."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from sync_worker.cli.connector.manifests import NAME
from sync_worker.cli.options import JSON, example
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import EntityRef
from sync_worker.doctor.conformance import Conformance
from sync_worker.doctor.measured import Measured
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.telemetry.logs import set_up_logs
from sync_worker.wiring import wiring

RULE_SLACK_SECONDS = 1.0


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
    "--wait", default=30.0, show_default=True, help="Seconds to wait for an event or a search."
)
@JSON
def conformance(
    name: str, allow_writes: bool, product: str | None, wait: float, as_json: bool
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
    settings = wiring().settings
    set_up_logs(settings.log_format, settings.log_level)
    manifest = wiring().manifests.get(name)
    if manifest is None:
        known = ", ".join(sorted(wiring().manifests))
        raise Misconfigured(f"there is no connector {name!r}; CONNECTORS names: {known}")
    http = http_of(manifest, NoBudget(), OwnTokens())
    admin, began = wiring().admin, wiring().admin.questions.now() - RULE_SLACK_SECONDS
    try:
        suite = Conformance(
            remote_of(manifest, http),
            manifest.scale.scale,
            EntityRef(product or ""),
            events_of(manifest),
            lambda ids: admin.questions.heard(manifest.id, ids, began),
            time.sleep,
            time.monotonic,
            wait,
        )
        measured = list(suite.read())
        if allow_writes:
            measured += suite.write()
    finally:
        http.close()
    if suite.ever_made:
        admin.questions.close_held(
            manifest.id, [*suite.ever_made, product or ""], began, "conformance"
        )
    _tell(manifest, measured, suite.made, as_json)
    sys.exit(1 if any(line.differs for line in measured) or suite.made else 0)


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
        click.echo(f"{_mark(line)} {line.what}: {line.seen}{declared}")
    if left:
        click.echo(f"left behind, delete by hand: {', '.join(left)}")


def _mark(line: Measured) -> str:
    if not line.is_known:
        return "?"
    if line.declared is None:
        return "·"
    return "✗" if line.differs else "✓"
