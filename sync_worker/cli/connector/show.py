"""``ratings-sync connector list`` and ``show``: what there is, and what it can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sync_worker.cli.connector.manifests import NAME, file_of, manifest_files, read_manifest
from sync_worker.cli.options import JSON, example
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec
from sync_worker.manifest.summary import describe, ways


@example("ratings-sync connector list")
@click.command("list")
@JSON
def list_connectors(as_json: bool) -> None:
    """Every connector that ships or that CONNECTORS names."""
    rows = [_row(file) for file in manifest_files()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    wide, ways_wide = (max(len(row[name]) for row in rows) for name in ("id", "ways"))
    for row in rows:
        click.echo(f"{row['id']:<{wide}}  {row['ways']:<{ways_wide}}  {row['title']}")


def _row(file: Path) -> dict[str, str]:
    manifest, _ = read_manifest(file)
    return {"id": manifest.id, "title": manifest.title, "ways": ways(manifest), "file": str(file)}


@example("ratings-sync connector show judgeme")
@click.command("show")
@NAME
@JSON
def show(name: str, as_json: bool) -> None:
    """What a connector can do and where its limits are, derived from its manifest."""
    manifest, missing = read_manifest(file_of(name))
    description = describe(manifest)
    if as_json:
        document = {
            "id": manifest.id,
            "title": manifest.title,
            "ways": ways(manifest),
            "settings_missing": missing,
            "settings": [_given(manifest, spec) for spec in manifest.settings],
        }
        click.echo(json.dumps(document | {"can": description.can, "limits": description.limits}))
        return
    click.echo(f"{manifest.id}: {manifest.title} ({ways(manifest)})")
    for ability, words in description.can.items():
        click.echo(f"  {ability + ':':<40} {words}")
    for limit in description.limits:
        click.echo(f"  ! {limit}")
    if manifest.settings:
        click.echo("  what a shop gives:")
    for spec in manifest.settings:
        click.echo(f"    {spec.name + ':':<18} {in_words(manifest, spec)}")
    if missing:
        click.echo(f"  not set yet: {', '.join(missing)}")


def _given(manifest: Manifest, spec: SettingSpec) -> dict[str, Any]:
    return spec.model_dump() | {"env": spec.name_in_environment(manifest.id)}


def in_words(manifest: Manifest, spec: SettingSpec) -> str:
    """One thing that a shop gives, for people."""
    facts: list[str] = [spec.kind] if spec.kind != "text" else []
    facts += [] if spec.required else ["may be left out"]
    facts += ["can be rotated"] if spec.rotates else []
    facts += [f"one of {', '.join(spec.choices)}"] if spec.choices else []
    facts += [f"such as {spec.example}"] if spec.example else []
    words = f"{spec.title} ({', '.join(facts)})" if facts else spec.title
    words += f". {spec.help}" if spec.help else ""
    return f"{words} [{spec.name_in_environment(manifest.id)}]"
