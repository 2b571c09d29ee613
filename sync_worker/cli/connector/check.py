"""``ratings-sync connector check``: whether a manifest is right."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.connector.manifests import (
    NAME,
    file_of,
    hearing_manifest,
    read_manifest,
    set_up_manifest,
)
from sync_worker.cli.options import EXISTING_FILE, JSON, example
from sync_worker.config import Settings, environment, load_settings
from sync_worker.core.errors import Misconfigured, Permanent, SyncError
from sync_worker.core.ports.remote import Remote
from sync_worker.doctor.live.advice import in_words, place_after
from sync_worker.doctor.live.pace import pace_of
from sync_worker.doctor.live.reading import in_our_words, read_live, read_port
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.manifest.check import (
    Finding,
    check_manifest,
    failures,
    ignored_event,
    unmatched_event,
)
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.field_values import search
from sync_worker.manifest.loader import named_place, unused_settings
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_record
from sync_worker.manifest.signature_diagnosis import at_its_time, captured, diagnose, is_verified
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import is_installed, remote_of
from sync_worker.remotes.http.tokens import OwnTokens
from webhook_gateway.external import Unreadable, read_deliveries
from webhook_gateway.wix import Ignored, Rejected

EVENTS = "webhook.events"


@example("ratings-sync connector check ./our-reviews.yaml --delivery captured.http")
@click.command("check")
@NAME
@click.option(
    "--live",
    is_flag=True,
    help="Also ask the system itself: one real record, its pages, its search. Writes nothing.",
)
@click.option(
    "--delivery",
    type=EXISTING_FILE,
    help="A captured webhook, raw HTTP or JSON: is it verified, and if not, what would fit?",
)
@JSON
def check(name: str, live: bool, delivery: Path | None, as_json: bool) -> None:
    """Schema, paths, scales and examples of a manifest. Exit code 1 if something is wrong."""
    file = file_of(name)
    manifest, missing = read_manifest(file)
    findings = [*_checked(manifest), *_used(file)]
    if delivery is not None:
        findings.append(_delivery(hearing_manifest(file), delivery))
    if live:
        findings += _asked(set_up_manifest(file))
    if as_json:
        rows = [asdict(finding) | {"is_good": finding.is_good} for finding in findings]
        click.echo(json.dumps({"id": manifest.id, "settings_missing": missing, "findings": rows}))
    else:
        _print(file, findings, missing)
    sys.exit(1 if failures(findings) else 0)


def _checked(manifest: Manifest) -> list[Finding]:
    return [
        *check_manifest(manifest, read_deliveries, WIX_SCALE, time.time()),
        *_named(manifest),
        *_paced(manifest),
    ]


def _used(file: Path) -> Iterator[Finding]:
    """Whether a shop is asked for what no call needs."""
    for name in unused_settings(file):
        wrong = f"no call uses it: write {{setting: {name}}} where it belongs, or remove it"
        yield Finding(f"settings: {name}", wrong, place="settings")


def _paced(manifest: Manifest) -> Iterator[Finding]:
    """Whether the scheduler here asks as often as the manifest wants to look."""
    poll, tick = manifest.operations.poll, _tick_seconds()
    if poll is None:
        return
    really = ceil(poll.every_s / tick) * tick
    if really != poll.every_s:
        yield Finding(
            f"operations.poll.every_s: it looks every {really:g} s, not every {poll.every_s} s, as"
            f" RECONCILE_CHECK_SECONDS is {tick:g}"
        )


def _tick_seconds() -> float:
    try:
        return load_settings(environment()).reconcile_check_seconds
    except Misconfigured:
        # What else is wrong with the settings is the doctor's to say.
        return Settings().reconcile_check_seconds


def _named(manifest: Manifest) -> list[Finding]:
    """Whether the plugin and hooks that a manifest names are installed: the workers need them."""
    what = "plugin and hooks are installed"
    try:
        return [Finding(what)] if is_installed(manifest) else []
    except Misconfigured as error:
        return [Finding(what, str(error))]


def _delivery(manifest: Manifest, file: Path) -> Finding:
    request = at_its_time(captured(file.read_bytes()), time.time())
    what = f"captured delivery {file.name}"
    reading = read_deliveries(manifest, request.body, request.headers, request.query, request.now)
    if not is_verified(manifest, request):
        # Some systems greet a new address without a signature: there is nothing to diagnose.
        if not isinstance(reading, Rejected | list):
            return Finding(f"{what}: an unsigned handshake")
        return Finding(what, "; ".join(["it is not verified", *diagnose(manifest, request)]))
    match reading:
        case Unreadable():
            words = reading.words or reading.reason
            return Finding(what, f"verified, but not in the form of the manifest: {words}")
        case Ignored("unknown_event_type", event):
            words = unmatched_event(manifest, event)
            return Finding(what, f"verified, but nothing would happen: {words}", "", EVENTS)
        case Ignored("ignored_event_type", event):
            words = ignored_event(manifest, event)
            return Finding(f"{what}: verified, and ignored", advice=words, place=EVENTS)
        case Ignored(reason):
            return Finding(f"{what}: verified, and ignored ({reason})")
        case list():
            changes = [f"{delivery.change} {delivery.remote_id}" for delivery in reading]
            what = f"{what}: verified, {', '.join(changes)}"
            return _carried(manifest, what, [delivery.payload for delivery in reading])
        case _:
            return Finding(f"{what}: verified, handshake")


def _carried(manifest: Manifest, what: str, payloads: Sequence[Mapping[str, Any]]) -> Finding:
    """The records that events carry, where they are trusted: read as a worker would."""
    webhook = manifest.webhook
    if webhook is None or not webhook.trusts_payload or webhook.record_path is None:
        return Finding(what)
    words = []
    for payload in payloads:
        try:
            resource = search(webhook.record_path, payload)
            if resource is not None:
                words.append(in_our_words(manifest, read_record(manifest, resource)))
        except Permanent as error:
            return Finding(what, error.message, place=error.message.partition(":")[0])
    return Finding(f"{what}; {'; '.join(words)}" if words else what)


def _asked(manifest: Manifest) -> Iterator[Finding]:
    """What the live system shows; after a refused probe there is nothing to read."""
    http = http_of(manifest, pace_of(manifest), OwnTokens())
    try:
        remote = remote_of(manifest, http)
        probed = _probed(remote)
        yield probed
        if not probed.is_good:
            return
        # A plugin makes its own calls: its rows are not ours to look into.
        if manifest.plugin is not None:
            yield from read_port(manifest, remote)
        else:
            yield from read_live(LiveSystem(manifest, http))
    finally:
        http.close()


def _probed(remote: Remote) -> Finding:
    what = "live: address and credentials"
    probe = getattr(remote, "probe", None)
    try:
        is_probed = bool(probe()) if probe is not None else False
    except SyncError as error:
        name = error.facts.operation or "probe"
        return Finding(what, in_words(error, name), place=place_after(error, name))
    return Finding(what if is_probed else f"{what}: no operation probe, nothing was asked")


def _print(file: Path, findings: Sequence[Finding], missing: Sequence[str]) -> None:
    for finding in findings:
        said = finding.wrong or finding.advice
        line = f"{_mark_of(finding)} {finding.what}" + (f": {said}" if said else "")
        if said and finding.place:
            line += f" ({named_place(file, finding.place.split('.'))})"
        click.echo(line)
    if missing:
        click.echo(f"not set yet (made up for this check): {', '.join(missing)}")


def _mark_of(finding: Finding) -> str:
    if not finding.is_good:
        return click.style("✗", fg="red")
    if finding.advice:
        return click.style("!", fg="yellow")
    return click.style("✓", fg="green")
