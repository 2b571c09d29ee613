"""The port of a remote: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Capabilities, Connection, Page, Remote

__all__ = ["Capabilities", "Connection", "Page", "People", "Remote"]

warnings.warn(
    "sync_worker.ports has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
