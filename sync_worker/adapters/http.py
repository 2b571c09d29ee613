"""The HTTP client of the remotes: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.remotes.http.authorization import Authorization, FixedHeaders
from sync_worker.remotes.http.budget import Budget, NoBudget
from sync_worker.remotes.http.calls import UNSET, Answer, Call
from sync_worker.remotes.http.client import RemoteHttp

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
