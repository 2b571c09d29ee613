"""Whether the external record of a link names somebody or something else. Pure."""

from __future__ import annotations

from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.values import Record
from sync_worker.core.values.record_identity import is_of_another, rates_another
from sync_worker.engine.link_plan import EXTERNAL_SLOT
from sync_worker.engine.record_view import RecordView, Source
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
    return names_another(shown, view.run)


def names_another(shown: RecordView | Record, run: LeasedLink) -> bool:
    """Whether it names another thing or another address than the link has."""
    if rates_another(shown.entity, run.entity.external):
        return True
    return is_of_another(shown.person.email, addresses_of(run))


def addresses_of(run: LeasedLink) -> tuple[str, ...]:
    """Those under which the run knows the person; none where a deleted contact has left none."""
    return () if run.contact.email is None else (run.contact.email,)
