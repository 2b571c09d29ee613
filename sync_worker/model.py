"""The values: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.core.values import (
    Contact,
    Draft,
    Entity,
    EntityRef,
    Merge,
    Operation,
    Person,
    Record,
    RecordState,
    Side,
)

__all__ = [
    "Contact",
    "Draft",
    "Entity",
    "EntityRef",
    "Merge",
    "Operation",
    "Person",
    "Record",
    "RecordState",
    "Side",
]

warnings.warn(
    "sync_worker.model has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
