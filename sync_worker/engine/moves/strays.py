"""Whether the external record of a link names somebody or something else. Pure."""

from __future__ import annotations

from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.values import Record
from sync_worker.core.values.record_identity import (
    UNCOMPARED,
    Changed,
    changed,
    identity_shown,
    is_of_another,
    rates_another,
)
from sync_worker.engine.record_view import EXTERNAL_SLOT, RecordView, Source
from sync_worker.engine.view import View


def is_stray(view: View) -> bool:
    """Whether the external record, as this run sees it, may be another rating's by now."""
    shown = view.record_views[EXTERNAL_SLOT]
    # Nothing is there, or what is on file was not seen in this run.
    if shown.remote_id is None or shown.source is Source.LEDGER:
        return False
    known = view.departures.stays(shown.remote_id)
    # Found out already, though another delivery has told of it since.
    if known is not None:
        return not known
    on_file = view.memory.get(EXTERNAL_SLOT)
    # As nearly always: it shows what it showed before.
    if on_file is not None and on_file.identity == shown.identity is not None:
        return False
    return names_another(view, shown)


def names_another(view: View, shown: RecordView | Record) -> bool:
    """Whether it names another thing or another address than the link has.

    What is on file must also have shown something else before: a system may name another address
    than the one that we gave it.
    """
    if not changed_since(view, shown):
        return False
    run = view.run
    if rates_another(shown.entity, run.entity.external):
        return True
    return is_of_another(shown.person.email, addresses_of(run))


def changed_since(view: View, shown: RecordView | Record) -> Changed:
    """What differs from what the record on file showed; nobody has compared any other record."""
    on_file = view.memory.get(EXTERNAL_SLOT)
    if on_file is None or on_file.remote_id != shown.remote_id:
        return UNCOMPARED
    now = identity_shown(shown.entity, shown.person.email, on_file.identity)
    return changed(now, on_file.identity)


def addresses_of(run: LeasedLink) -> tuple[str, ...]:
    """Those under which the run knows the person; none where a deleted contact has left none."""
    return () if run.contact.email is None else (run.contact.email,)
