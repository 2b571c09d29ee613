"""The whole record that a webhook carries, where its system may be believed so much. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core.values import Record
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_record


def record_in_webhook(manifest: Manifest, payload: Mapping[str, Any]) -> Record | None:
    """``None``: the delivery is a hint, and its record is read by its id. Raises Permanent."""
    webhook = manifest.webhook
    if webhook is None or not webhook.trusts_payload or webhook.record_path is None:
        return None
    resource = search(webhook.record_path, payload)
    return read_record(manifest, resource) if resource is not None else None
