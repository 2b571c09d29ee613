"""The shop's public reply to a record, where that is a call of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sync_worker.core.errors import Gone, GoneUnsaid, Permanent
from sync_worker.core.values import Record
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import context_of
from sync_worker.remotes.external.calls import ExternalCalls, Options
from sync_worker.remotes.landed import look_after_write


class ExternalReplies:
    """Sets replies by ``operations.reply``. ``get``: a record by its id."""

    def __init__(
        self, manifest: Manifest, calls: ExternalCalls, get: Callable[[str], Record | None]
    ) -> None:
        self._manifest, self._calls, self._get = manifest, calls, get

    def set(self, remote_id: str, text: str) -> Record:
        """The record with its new reply. Raises Gone, UnknownOutcome, Permanent."""
        if not text:
            raise Permanent(
                f"connector {self._manifest.id} declares no way to take a reply away: the system"
                " does not offer it",
                reason="unsupported",
            )
        known = context_of(self._manifest, remote_id)
        context = self._calls.context(**known, rating={"reply": text})
        try:
            self._calls.resource("reply", context, Options(is_write=True))
        except GoneUnsaid:
            raise Gone from None
        # Its answer may be the reply and not the record.
        record = look_after_write(partial(self._get, remote_id))
        if record is None:
            raise Gone
        return record
