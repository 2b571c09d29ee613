"""The error tree: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.core.errors import (
    NO_FACTS,
    Away,
    Conflict,
    Duplicate,
    Facts,
    Gone,
    Held,
    LeaseLost,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.errors import RemoteAnswer as Outcome

__all__ = [
    "NO_FACTS",
    "Away",
    "Conflict",
    "Duplicate",
    "Facts",
    "Gone",
    "Held",
    "LeaseLost",
    "Misconfigured",
    "Outcome",
    "Permanent",
    "RateLimited",
    "SyncError",
    "Transient",
    "Unconfirmed",
    "UnknownOutcome",
]

warnings.warn(
    "sync_worker.errors has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
