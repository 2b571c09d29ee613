"""Calls of a declared connector."""

from __future__ import annotations

import traceback

from sync_worker.core.errors import (
    SyncError,
)
from sync_worker.manifest.manifest import Manifest
from tests.integration.small_connector import (
    a_remote,
)


def told(manifest: Manifest) -> str:
    """Everything that an error shows when it is logged with its causes."""
    remote = a_remote(manifest)
    try:
        remote.list_page()
    except SyncError as error:
        return "".join(traceback.format_exception(error)) + repr(error) + repr(manifest)
    raise AssertionError("the call should have failed")
