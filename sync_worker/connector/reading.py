"""Reading of records: an earlier path; use ``sync_worker.plugin``."""

import warnings

from sync_worker.manifest.field_values import malformed, search
from sync_worker.manifest.record_keys import context_of, key_of, remote_id_of
from sync_worker.manifest.record_reader import (
    MAIN_FIELD,
    NO_TEXTS,
    Texts,
    created_at,
    read_details,
    read_record,
    read_remote_id,
    read_subject,
    read_texts,
    read_values,
    updated_at,
)

__all__ = [
    "MAIN_FIELD",
    "NO_TEXTS",
    "Texts",
    "context_of",
    "created_at",
    "key_of",
    "malformed",
    "read_details",
    "read_record",
    "read_remote_id",
    "read_subject",
    "read_texts",
    "read_values",
    "remote_id_of",
    "search",
    "updated_at",
]

warnings.warn(
    "sync_worker.connector.reading has moved: import from sync_worker.plugin",
    DeprecationWarning,
    stacklevel=2,
)
