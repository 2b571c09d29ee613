"""The manifest: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.manifest.manifest import Manifest

__all__ = ["Manifest"]

warnings.warn(
    "sync_worker.connector.manifest has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
