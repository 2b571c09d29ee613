"""One record of an external system by its id: the record, or that it is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from sync_worker.core.errors import Gone, GoneUnsaid, Permanent, Transient
from sync_worker.core.values import Record, RecordState
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import context_of
from sync_worker.manifest.record_reader import read_record, read_remote_id
from sync_worker.manifest.schema.calls import Hook, OperationSpec
from sync_worker.manifest.source.stands import kind_of
from sync_worker.remotes.external.calls import NOTHING, ExternalCalls
from sync_worker.remotes.external.envelopes import is_error_envelope
from sync_worker.remotes.external.gone import SecondLooks
from sync_worker.remotes.external.listing import Listing

MAX_PAGES = 3  # in which another record is looked for

log = structlog.get_logger(__name__)


class RecordById:
    """Reads records by id. ``looks``: what earlier looks saw. Errors as for ``Remote``."""

    def __init__(
        self, manifest: Manifest, calls: ExternalCalls, listing: Listing, looks: SecondLooks
    ) -> None:
        self._manifest, self._calls, self._listing = manifest, calls, listing
        self._looks = looks

    def get(self, remote_id: str) -> Record | None:
        """The record, ``None`` if the system says that it is gone. Raises GoneUnsaid."""
        try:
            record = self._read(remote_id)
        except Gone:
            record = None
        except GoneUnsaid as unsaid:
            self._confirm(remote_id, unsaid)
            record = None
        if record is None or record.state is RecordState.DELETED:
            self._looks.note_gone(remote_id)
            return None
        self._looks.note_seen(remote_id)
        return record

    def _confirm(self, remote_id: str, unsaid: GoneUnsaid) -> None:
        """Raises ``unsaid`` unless this is a second look, and another record can be read now."""
        is_second = self._looks.is_second(remote_id)
        is_confirmed = is_second and any(map(self._is_readable, self._others(remote_id)))
        log.warning(
            "gone_by_status_alone",
            remote=self._manifest.id,
            confirmed=is_confirmed,
            advice=unsaid.message,
        )
        if not is_confirmed:
            raise unsaid

    def _others(self, remote_id: str) -> Iterator[str]:
        """Records that may be there besides this one."""
        yield from self._looks.seen_besides(remote_id)
        if self._manifest.operations.list is None:
            return
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self._listing.page(cursor)
            yield from [row.remote_id for row in page.records if row.remote_id != remote_id][:2]
            cursor = page.cursor
            if cursor is None:
                return

    def _is_readable(self, remote_id: str) -> bool:
        try:
            return self._read(remote_id) is not None
        except (Gone, GoneUnsaid, Permanent):
            return False

    def _read(self, remote_id: str) -> Record | None:
        """The record as the system shows it. Raises Gone, GoneUnsaid."""
        context = self._calls.context(**context_of(self._manifest, remote_id))
        spec = self._manifest.operations.get
        # The system gives no record by id: its listing is searched.
        if spec is None:
            return self._listed(remote_id, context)
        found = self._calls.resource("get", context)
        if isinstance(spec, Hook):
            return None if found is NOTHING else read_record(self._manifest, found, context)
        if spec.items_path is not None:
            found = self._row_of(remote_id, spec, found, context)
        # An empty answer, JSON's null, a list: whatever that is, it is no word for "gone".
        if not isinstance(found, Mapping):
            raise Transient(_no_record(self._manifest.id, spec, found))
        try:
            return read_record(self._manifest, found, context)
        except Permanent:
            # A record that cannot be read is the manifest's matter; an error that the system tells
            # with success passes.
            if is_error_envelope(found):
                words = "operations.get was answered with an error, and with success"
                raise Transient(f"{self._manifest.id}: {words}") from None
            raise

    def _row_of(
        self, remote_id: str, spec: OperationSpec, rows: Any, context: Mapping[str, Any]
    ) -> Any:
        """The row of a list that was asked for one id. Raises Gone if it is empty, Transient."""
        if not isinstance(rows, list):
            words = f"no list at operations.get.items_path (`{spec.items_path}`): {kind_of(rows)}"
            raise Transient(f"{self._manifest.id}: {words}")
        if not rows:
            raise Gone
        for row in rows:
            if read_remote_id(self._manifest, row, context) == remote_id:
                return row
        raise Transient(
            f"{self._manifest.id} lists other records than the one asked for: does it know the"
            " filter of operations.get?"
        )

    def _listed(self, remote_id: str, context: Mapping[str, Any]) -> Record | None:
        """A record of a system that gives none by id."""

        def is_it(item: Any) -> bool:
            return read_remote_id(self._manifest, item, context) == remote_id

        for record in self._listing.records("list", context, is_it):
            if record.remote_id == remote_id:
                return record
        # If deletes are never told, a missing record may be hidden.
        if not self._tells_deletes:
            raise Permanent("the listing does not show this record", reason="not_listed")
        return None

    @property
    def _tells_deletes(self) -> bool:
        webhook = self._manifest.webhook
        return webhook is not None and any(rule.change == "delete" for rule in webhook.events)


def _no_record(connector: str, spec: OperationSpec, found: Any) -> str:
    what = "nothing" if found is NOTHING else kind_of(found)
    where = "operations.get.result_path"
    at = f"at {where} (`{spec.result_path}`)" if spec.result_path else f"without {where}"
    return f"{connector} answers a get with something that is no record: {what} {at}"
