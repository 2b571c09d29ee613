"""The connectors of one process: the manifests that CONNECTORS names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import load_manifests, shipped_manifest
from sync_worker.manifest.manifest import Manifest


class Connectors:
    """The manifests, read when first asked for; the environment holds what they name."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """By name. Raises Misconfigured."""
        return load_manifests(manifest_paths(self._settings), self._environ)

    def manifest(self, name: str) -> Manifest:
        """One of them. Raises Misconfigured if CONNECTORS does not name it."""
        manifest = self.manifests.get(name)
        if manifest is None:
            raise Misconfigured(f"there is no connector {name!r}; name its manifest in CONNECTORS")
        return manifest


def manifest_paths(settings: Settings) -> list[Path]:
    """The files and folders that CONNECTORS names. Raises Misconfigured if one does not exist."""
    names = [name.strip() for name in settings.connectors.split(",") if name.strip()]
    paths = [_path_of(name) for name in names]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise Misconfigured(f"CONNECTORS names {', '.join(missing)}, which does not exist")
    return paths


def _path_of(name: str) -> Path:
    """A file or folder as it is named; a plain word is a connector that ships."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    return shipped_manifest(name)
