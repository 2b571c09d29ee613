"""The connectors of one process: the manifests that CONNECTORS names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site
from sync_worker.manifest.loader import (
    account_manifests,
    load_manifest,
    load_manifests,
    manifest_files,
    refuse_taken,
    shipped_manifest,
)
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.wiring.secret_keys import has_keys


@dataclass(frozen=True, slots=True)
class _Code:
    file: Path
    manifests: AccountManifests


class Connectors:
    """The manifests, read when first asked for; the environment holds what they name."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """Those that serve a shop whose settings the environment holds, by name.

        With a key for accounts, a connector of which the environment holds nothing is code alone.
        Raises Misconfigured.
        """
        if not self.serve_accounts:
            return load_manifests(manifest_paths(self._settings), self._environ)
        return self.set_up

    @cached_property
    def set_up(self) -> dict[str, Manifest]:
        """Those of which the environment holds something, with a key or without one.

        Raises Misconfigured: it holds a part of what one needs.
        """
        return {
            name: load_manifest(code.file, self._environ)
            for name, code in self._codes.items()
            if self._is_set_up(code)
        }

    @cached_property
    def known(self) -> Mapping[str, Manifest]:
        """Every connector's manifest by name, for what is the same for all of its shops.

        Without a shop in the environment it has stand-ins for what one gives. Raises Misconfigured.
        """
        if not self.serve_accounts:
            return self.manifests
        codes = {name: code.manifests.code for name, code in self._codes.items()}
        return codes | self.manifests

    def manifest(self, name: str) -> Manifest:
        """One of them. Raises Misconfigured: CONNECTORS does not name it, or nothing sets it up."""
        manifest = self.manifests.get(name)
        if manifest is not None:
            return manifest
        if name in self._codes:
            # Which says what is not set.
            return load_manifest(self._codes[name].file, self._environ)
        raise _unknown(name)

    def lost(self, site: Site) -> str:
        """Of a site whose shop the environment does not hold any more, for a log or a terminal."""
        if site.connector not in self.names:
            return (
                f"site {site.id} uses connector {site.connector}, which CONNECTORS does not name:"
                " nothing of it crosses, and its webhooks find nobody"
            )
        code = self.code_of(site.connector).code
        names = [setting.name_in_environment(code.id) for setting in code.settings]
        return (
            f"site {site.id} uses connector {code.id}, and {names[0]} is not set, nor another of"
            " its settings: nothing of it crosses, and its webhooks find nobody"
        )

    @property
    def serve_accounts(self) -> bool:
        """Whether shops give what they have as accounts, too."""
        return has_keys(self._settings)

    @property
    def names(self) -> Set[str]:
        """Of all that CONNECTORS names, for accounts too. Raises Misconfigured."""
        return self._codes.keys()

    def code_of(self, name: str) -> AccountManifests:
        """A connector as code for accounts. Raises Misconfigured if CONNECTORS does not name it."""
        code = self._codes.get(name)
        if code is None:
            raise _unknown(name)
        return code.manifests

    @cached_property
    def _codes(self) -> dict[str, _Code]:
        codes: dict[str, _Code] = {}
        for file in manifest_files(manifest_paths(self._settings)):
            code = _Code(file, account_manifests(file, self._environ))
            name = code.manifests.code.id
            refuse_taken(name, codes, file)
            codes[name] = code
        return codes

    def _is_set_up(self, code: _Code) -> bool:
        """Whether the environment is meant to hold what a shop gives for a connector."""
        manifest = code.manifests.code
        names = [setting.name_in_environment(manifest.id) for setting in manifest.settings]
        if not names or _are_set(names, self._environ):
            return True
        try:
            # Settings may all have defaults, and secrets be named by ``{env: NAME}``.
            load_manifest(code.file, self._environ)
        except Misconfigured:
            return False
        return True


def _are_set(names: Iterable[str], environ: Mapping[str, str]) -> bool:
    """Whether one of them is, if only as a file."""
    return any(environ.get(name) or environ.get(f"{name}_FILE") for name in names)


def _unknown(name: str) -> Misconfigured:
    return Misconfigured(f"there is no connector {name!r}; name its manifest in CONNECTORS")


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
