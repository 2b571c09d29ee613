"""The HTTP client of the remotes: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.remotes.http.client import (
    UNSET,
    Answer,
    Authorization,
    Budget,
    Call,
    FixedHeaders,
    NoBudget,
    RemoteHttp,
)

__all__ = [
    "UNSET",
    "Answer",
    "Authorization",
    "Budget",
    "Call",
    "FixedHeaders",
    "NoBudget",
    "RemoteHttp",
]

warnings.warn(
    "sync_worker.adapters.http has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
