"""Finding the manifest that a name means."""

from __future__ import annotations

from pathlib import Path

import click

from sync_worker.config import environment, load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import SHIPPED, load_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.wiring import manifest_paths

NAME = click.argument("name")


def manifest_files() -> list[Path]:
    """Every manifest that ships, then those that CONNECTORS names as files or folders."""
    files = sorted(SHIPPED.glob("*.yaml"))
    for path in manifest_paths(load_settings(environment())):
        files += sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    return list(dict.fromkeys(files))


def file_of(name: str) -> Path:
    """The manifest that a name means. Raises Misconfigured."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    for file in manifest_files():
        if file.parent != SHIPPED and read_manifest(file)[0].id == name:
            return file
    return shipped_manifest(name)


def read_manifest(file: Path) -> tuple[Manifest, list[str]]:
    """A manifest, and the names of its settings that are not set; made-up values stand for them.

    Raises Misconfigured.
    """
    environ = Placeholders(environment())
    return load_manifest(file, environ), environ.missing


def hearing_manifest(file: Path) -> Manifest:
    """A manifest with the real secrets of its webhooks; other settings may be made up.

    Raises Misconfigured.
    """
    environ = Placeholders(environment())
    manifest = load_manifest(file, environ)
    made_up = {environ[name]: name for name in environ.missing}
    for scheme in manifest.webhook.verify if manifest.webhook else ():
        for key in ("secret", "key", "username", "password"):
            secret = getattr(scheme, key, None)
            name = made_up.get(secret.get_secret_value()) if secret is not None else None
            if name is not None:
                raise Misconfigured(
                    f"{name} is not set, and deliveries are verified with it; set {name} or"
                    f" {name}_FILE in the environment"
                )
    return manifest


def set_up_manifest(file: Path) -> Manifest:
    """The manifest with its real settings. Raises Misconfigured if one is missing."""
    return load_manifest(file, environment())
