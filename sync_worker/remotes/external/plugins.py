"""Connectors and single operations in Python, found by entry point and named by a manifest.

Only registered names: a manifest can choose among what is installed, never import anything.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, cast

from sync_worker.core.errors import Misconfigured
from sync_worker.core.ports.remote import Remote
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import Hook
from sync_worker.remotes.external.calls import Handler
from sync_worker.remotes.external.gone import FirstLooks, SecondLooks, says_gone_by_status
from sync_worker.remotes.external.remote import ExternalRemote
from sync_worker.remotes.http.client import RemoteHttp

CONNECTORS, HOOKS = "ratings_sync.connectors", "ratings_sync.hooks"
Plugin = Callable[[Manifest, RemoteHttp], Remote]


def remote_of(
    manifest: Manifest, http: RemoteHttp, first_looks: FirstLooks | None = None
) -> Remote:
    """The remote of a manifest: declared, or made by the plugin that it names.

    ``first_looks``: the fleet's memory of what a status alone calls gone. Raises Misconfigured.
    """
    if manifest.plugin is None:
        # Only where a status alone may say it: elsewhere a read needs no second memory.
        shared = first_looks if says_gone_by_status(manifest) else None
        looks = SecondLooks(shared=shared)
        return ExternalRemote(manifest, http, handlers_of(manifest), looks=looks)
    plugin: Plugin = _registered(CONNECTORS, manifest.plugin, manifest)
    remote = plugin(manifest, http)
    if hasattr(remote, "prepay") and not hasattr(remote, "reserve_request"):
        return _with_reserve_request(remote, manifest.plugin)
    return remote


def _with_reserve_request(remote: Any, name: str) -> Remote:
    """A plugin written for an earlier release, where the call was named ``prepay``."""
    warnings.warn(
        f"plugin {name}: rename its method prepay to reserve_request (sync_worker.plugin)",
        DeprecationWarning,
        stacklevel=3,
    )
    return cast(Remote, _EarlierPlugin(remote))


class _EarlierPlugin:
    """Another name for one method; everything else is the plugin's own."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote

    def reserve_request(self) -> None:
        self._remote.prepay()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)


def is_installed(manifest: Manifest) -> bool:
    """Whether all Python that a manifest names is there; false if it names none.

    Raises Misconfigured.
    """
    if manifest.plugin is not None:
        _registered(CONNECTORS, manifest.plugin, manifest)
    return bool(handlers_of(manifest)) or manifest.plugin is not None


def handlers_of(manifest: Manifest) -> dict[str, Handler]:
    """The installed hooks that a manifest names. Raises Misconfigured."""
    operations = dict(manifest.operations).values()
    names = {spec.handler for spec in operations if isinstance(spec, Hook)}
    return {name: _registered(HOOKS, name, manifest) for name in names}


def _registered(group: str, name: str, manifest: Manifest) -> Any:
    installed = {entry.name: entry for entry in entry_points(group=group)}
    chosen = installed.get(name)
    if chosen is None:
        known = ", ".join(sorted(installed)) or "none"
        raise Misconfigured(
            f"connector {manifest.id} names {name!r} of {group}, which is not installed (installed:"
            f" {known}); install the package that has it, into the environment of gateway and"
            " workers"
        )
    try:
        return chosen.load()
    except Exception as error:  # whatever a plugin does when it is imported
        raise Misconfigured(
            f"{group}: {name!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
