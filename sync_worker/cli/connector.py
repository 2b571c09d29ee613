"""``ratings-sync connector``: what connectors there are, what they can do, whether they are
right.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sync_worker.config import environment, load_settings
from sync_worker.core.errors import Misconfigured, SyncError
from sync_worker.manifest.check import Finding, check_manifest, failures
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.loader import SHIPPED, Placeholders, load_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.editor import editor_schema
from sync_worker.manifest.signature_diagnosis import at_its_time, captured, diagnose, is_verified
from sync_worker.manifest.summary import describe, ways
from sync_worker.remotes.external.hooks import ExternalHooks, HookState
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import is_installed, remote_of
from sync_worker.remotes.http.client import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.wiring import manifest_paths

SKELETON = Path(__file__).parents[1] / "manifest" / "skeleton.yaml"
NAME = click.argument("name")
JSON = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")


def example(text: str) -> Callable[[Any], Any]:
    """Puts an example under the help of a command."""

    def decorate(command: Any) -> Any:
        command.epilog = f"Example: {text}"
        return command

    return decorate


@click.group(epilog="Example: ratings-sync connector check woocommerce")
def connector() -> None:
    """Connectors: manifests that say how an external review system is read, written and heard.

    NAME is a connector that ships, one that CONNECTORS names, or the path of a manifest.
    """


@example("ratings-sync connector list")
@connector.command("list")
@JSON
def list_connectors(as_json: bool) -> None:
    """Every connector that ships or that CONNECTORS names."""
    rows = [_row(file) for file in _files()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    wide, ways_wide = (max(len(row[name]) for row in rows) for name in ("id", "ways"))
    for row in rows:
        click.echo(f"{row['id']:<{wide}}  {row['ways']:<{ways_wide}}  {row['title']}")


def _files() -> list[Path]:
    own = manifest_paths(load_settings(environment()))
    files = [
        file for path in own for file in (sorted(path.glob("*.y*ml")) if path.is_dir() else [path])
    ]
    return list(dict.fromkeys([*sorted(SHIPPED.glob("*.yaml")), *files]))


def _row(file: Path) -> dict[str, str]:
    manifest, _ = _read(file)
    return {"id": manifest.id, "title": manifest.title, "ways": ways(manifest), "file": str(file)}


def _file(name: str) -> Path:
    """The manifest that a name means. Raises Misconfigured."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    own = (file for file in _files() if file.parent != SHIPPED)
    return next((file for file in own if _read(file)[0].id == name), None) or shipped_manifest(name)


def _read(file: Path) -> tuple[Manifest, list[str]]:
    """A manifest, and the names of settings that are not set: what they name is made up.

    Raises Misconfigured.
    """
    environ = Placeholders(environment())
    return load_manifest(file, environ), environ.missing


@example("ratings-sync connector show judgeme")
@connector.command("show")
@NAME
@JSON
def show(name: str, as_json: bool) -> None:
    """What a connector can do and where its limits are, derived from its manifest."""
    manifest, missing = _read(_file(name))
    description = describe(manifest)
    if as_json:
        document = {
            "id": manifest.id,
            "title": manifest.title,
            "ways": ways(manifest),
            "settings_missing": missing,
        }
        click.echo(json.dumps(document | {"can": description.can, "limits": description.limits}))
        return
    click.echo(f"{manifest.id}: {manifest.title} ({ways(manifest)})")
    for ability, words in description.can.items():
        click.echo(f"  {ability + ':':<40} {words}")
    for limit in description.limits:
        click.echo(f"  ! {limit}")
    if missing:
        click.echo(f"  not set yet: {', '.join(missing)}")


@example("ratings-sync connector check ./our-reviews.yaml --delivery captured.http")
@connector.command("check")
@NAME
@click.option(
    "--live",
    is_flag=True,
    help="Also ask the system itself, with the operation probe or a first page.",
)
@click.option(
    "--delivery",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A captured webhook, raw HTTP or JSON: is it verified, and if not, what would fit?",
)
@JSON
def check(name: str, live: bool, delivery: Path | None, as_json: bool) -> None:
    """Schema, paths, scales and examples of a manifest. Exit code 1 if something is wrong."""
    file = _file(name)
    manifest, missing = _read(file)
    findings = _checked(manifest)
    if delivery is not None:
        findings.append(_delivery(manifest if not missing else _set_up(file), delivery))
    if live:
        findings.append(_probed(_set_up(file)))
    if as_json:
        rows = [asdict(finding) | {"is_good": finding.is_good} for finding in findings]
        click.echo(json.dumps({"id": manifest.id, "settings_missing": missing, "findings": rows}))
    else:
        _print(findings, missing)
    sys.exit(1 if failures(findings) else 0)


def _checked(manifest: Manifest) -> list[Finding]:
    from webhook_gateway.external import read_deliveries

    return [*check_manifest(manifest, read_deliveries, WIX_SCALE, time.time()), *_named(manifest)]


def _named(manifest: Manifest) -> list[Finding]:
    """The plugin and the hooks that a manifest names: a misspelt one would fail in the workers
    only.
    """
    what = "plugin and hooks are installed"
    try:
        return [Finding(what)] if is_installed(manifest) else []
    except Misconfigured as error:
        return [Finding(what, str(error))]


def _set_up(file: Path) -> Manifest:
    """The manifest with its real settings. Raises Misconfigured if one is missing."""
    return load_manifest(file, environment())


def _delivery(manifest: Manifest, file: Path) -> Finding:
    from webhook_gateway.external import Unreadable, read_deliveries
    from webhook_gateway.wix import Ignored, Rejected

    request = at_its_time(captured(file.read_bytes()), time.time())
    what = f"captured delivery {file.name}"
    if not is_verified(manifest, request):
        reading = read_deliveries(
            manifest, request.body, request.headers, request.query, request.now
        )
        if not isinstance(reading, Rejected | list):
            return Finding(f"{what}: an unsigned handshake")
        return Finding(what, "; ".join(["it is not verified", *diagnose(manifest, request)]))
    reading = read_deliveries(manifest, request.body, request.headers, request.query, request.now)
    match reading:
        case Unreadable(reason):
            return Finding(what, f"it is verified, but not in the form of the manifest ({reason})")
        case Ignored(reason):
            return Finding(f"{what}: verified, and ignored ({reason})")
        case _:
            told = (
                [f"{one.change} {one.remote_id}" for one in reading]
                if isinstance(reading, list)
                else ["handshake"]
            )
            return Finding(f"{what}: verified, {', '.join(told)}")


def _probed(manifest: Manifest) -> Finding:
    http = http_of(manifest, NoBudget(), OwnTokens())
    try:
        remote = remote_of(manifest, http)
        probe = getattr(remote, "probe", None)
        is_probed = bool(probe()) if probe is not None else False
    except SyncError as error:
        return Finding("live: address and credentials", str(error))
    finally:
        http.close()
    return Finding(
        "live: address and credentials"
        + ("" if is_probed else ": no operation probe, nothing was asked")
    )


def _print(findings: Sequence[Finding], missing: Sequence[str]) -> None:
    for finding in findings:
        mark = click.style("✓", fg="green") if finding.is_good else click.style("✗", fg="red")
        click.echo(f"{mark} {finding.what}" + (f": {finding.wrong}" if finding.wrong else ""))
    if missing:
        click.echo(f"not set yet (made up for this check): {', '.join(missing)}")


@example("ratings-sync connector new our-reviews > our-reviews.yaml")
@connector.command("new")
@NAME
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a file instead of standard output.",
)
def new(name: str, out: Path | None) -> None:
    """A commented skeleton of a manifest that passes `connector check`."""
    setting = name.upper().replace("-", "_")
    file = str(out or f"{name}.yaml")
    text = SKELETON.read_text(encoding="utf-8")
    text = text.replace("@ID@", name).replace("@NAME@", setting).replace("@FILE@", file)
    _checked_name(name)
    if out is None:
        click.echo(text, nl=False)
        return
    if out.exists():
        raise Misconfigured(f"{out} is there already; choose another name or move it away")
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out}: fill it in, then run `ratings-sync connector check {out}`")


def _checked_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        raise Misconfigured(
            f"{name!r} is no connector id: small letters, digits and dashes, at most 63"
        )


@example("ratings-sync connector schema > connector.schema.json")
@connector.command("schema")
def schema() -> None:
    """The JSON Schema of manifests, for editors."""
    click.echo(json.dumps(editor_schema(), indent=1))


# -- webhooks


class EitherOrder(click.Group):
    """Takes ``list NAME`` and ``NAME list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if len(args) > 1 and args[0] not in self.commands and args[1] in self.commands:
            args[:2] = args[1], args[0]
        return super().parse_args(ctx, args)


@connector.group(
    "webhooks", cls=EitherOrder, epilog="Example: ratings-sync connector webhooks list woocommerce"
)
def webhooks() -> None:
    """Our webhooks at the external system: make them, see their state, bring them back.

    The connector's NAME may also come first: `connector webhooks woocommerce list`.
    """


@example("ratings-sync connector webhooks list woocommerce")
@webhooks.command("list")
@NAME
@JSON
def list_webhooks(name: str, as_json: bool) -> None:
    """Our webhooks with their state. Exit code 1 if one is disabled or there is none."""
    _tell(_with_hooks(name, lambda hooks: hooks.ours()), as_json)


@example(
    "ratings-sync connector webhooks register woocommerce --url"
    " https://gw.example.com/webhooks/external/woocommerce"
)
@webhooks.command("register")
@NAME
@click.option(
    "--url", required=True, help="Public address of the gateway's route for this connector."
)
@JSON
def register_webhooks(name: str, url: str, as_json: bool) -> None:
    """Make a webhook for each topic that has none yet."""
    _tell(_with_hooks(name, lambda hooks: hooks.register(url)), as_json)


@example("ratings-sync connector webhooks enable woocommerce")
@webhooks.command("enable")
@NAME
@JSON
def enable_webhooks(name: str, as_json: bool) -> None:
    """Bring back webhooks that the system has disabled."""

    def enable(hooks: ExternalHooks) -> list[HookState]:
        brought_back = hooks.enable()
        click.echo(f"{len(brought_back)} brought back", err=True)
        return hooks.ours()

    _tell(_with_hooks(name, enable), as_json)


def _with_hooks(name: str, act: Callable[[ExternalHooks], list[HookState]]) -> list[HookState]:
    manifest = _set_up(_file(name))
    http = http_of(manifest, NoBudget(), OwnTokens())
    try:
        return act(ExternalHooks(manifest, http))
    finally:
        http.close()


def _tell(hooks: Sequence[HookState], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(hook) for hook in hooks]))
    elif not hooks:
        click.echo(
            "there is no webhook of ours; make them with `ratings-sync connector webhooks register`"
        )
    else:
        for hook in hooks:
            click.echo(
                f"{hook.id}\t{'works' if hook.is_enabled else 'DISABLED'}\t{hook.topic}\t{hook.url}"
            )
    sys.exit(0 if hooks and all(hook.is_enabled for hook in hooks) else 1)
