"""``ratings-sync connector new`` and ``schema``: help for whoever writes a manifest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from sync_worker.cli.connector.manifests import NAME
from sync_worker.cli.options import NEW_FILE, example
from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.schema.editor import editor_schema

SKELETON = Path(__file__).parents[2] / "manifest" / "skeleton.yaml"


@example("ratings-sync connector new our-reviews > our-reviews.yaml")
@click.command("new")
@NAME
@click.option(
    "--out",
    type=NEW_FILE,
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
@click.command("schema")
def schema() -> None:
    """The JSON Schema of manifests, for editors."""
    click.echo(json.dumps(editor_schema(), indent=1))
