"""``ratings-sync connector new`` and ``schema``: help for whoever writes a manifest."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.connector.manifests import NAME
from sync_worker.cli.connector.samples import drafted
from sync_worker.cli.options import EXISTING_FILE, NEW_FILE, example
from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.schema.editor import editor_schema

SKELETON = Path(__file__).parents[2] / "manifest" / "skeleton.yaml"
AUTHS = ("none", "bearer", "basic", "header")


@example("ratings-sync connector new our-reviews --record sample.json --delivery captured.http")
@click.command("new")
@NAME
@click.option("--out", type=NEW_FILE, help="Write a file instead of standard output.")
@click.option("--record", type=EXISTING_FILE, help="A record as the system answers it (JSON).")
@click.option(
    "--delivery", type=EXISTING_FILE, help="A captured webhook: headers, empty line, body."
)
@click.option("--base-url", metavar="URL", help="Address of its API.")
@click.option("--auth", type=click.Choice(AUTHS), help="How it wants our credentials.")
@click.option("--auth-header", metavar="NAME", help="With --auth header: which one.")
@click.option(
    "--from-openapi",
    type=EXISTING_FILE,
    help="Propose operations from its OpenAPI description (YAML or JSON).",
)
def new(name: str, out: Path | None, **given: Any) -> None:
    """A manifest that passes `connector check`: a skeleton, or a draft from samples.

    With a sample record it asks on a terminal for what the samples do not show.
    """
    _checked_name(name)
    if out is not None and out.exists():
        raise Misconfigured(f"{out} is there already; choose another name or move it away")
    if any(given[kind] is not None for kind in ("record", "delivery", "from_openapi")):
        if given["record"] is None:
            raise Misconfigured(
                "--record is needed for a draft: one record of the system as JSON, as its API"
                " answers it"
            )
        text, left = drafted(name, str(out or f"{name}.yaml"), is_asked=sys.stdin.isatty(), **given)
    elif given["base_url"] or given["auth"] or given["auth_header"]:
        raise Misconfigured(
            "--base-url and --auth are for a draft: give a sample with --record, too"
        )
    else:
        text, left = _skeleton(name, str(out or f"{name}.yaml")), []
    _give(text, left, out)


def _give(text: str, left: list[str], out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    for sentence in left:
        click.echo(f"! {sentence}", err=True)
    if out is not None:
        click.echo(f"{out}: fill it in, then run `ratings-sync connector check {out}`")


def _skeleton(name: str, file: str) -> str:
    setting = name.upper().replace("-", "_")
    text = SKELETON.read_text(encoding="utf-8")
    return text.replace("@ID@", name).replace("@NAME@", setting).replace("@FILE@", file)


def _checked_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        raise Misconfigured(
            f"{name!r} is no connector id: small letters, digits and dashes, at most 63"
        )


@example("ratings-sync connector schema > connector.schema.json")
@click.command("schema")
def schema() -> None:
    """The JSON Schema of manifests, for editors."""
    click.echo(json.dumps(editor_schema(), indent=1))
