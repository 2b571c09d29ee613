"""What the answer to a write of ours tells of whose a record is: nothing that a look would not."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.ports.directory import Directory
from sync_worker.core.values import Intent, Known, Operation, Record, Side
from sync_worker.core.values.record_identity import (
    ANSWERED,
    as_changed_since,
    identity_shown,
    is_of_another,
)
from sync_worker.engine.moves.strays import addresses_of
from sync_worker.engine.record_view import EXTERNAL_SLOT, RecordView
from sync_worker.engine.view import View


def hear_answer(view: View, directory: Directory, intent: Intent, record: Record) -> None:
    """Take in whose the external record is that a write of this run was answered with."""
    # It may only repeat whom we named.
    if intent.operation is Operation.CREATE:
        view.record_views[EXTERNAL_SLOT] = view.record_views[EXTERNAL_SLOT].answered()
        return
    noted, shown = view.memory.get(EXTERNAL_SLOT), view.record_views[EXTERNAL_SLOT]
    is_as_noted = noted is not None and noted.identity == shown.identity
    # As nearly always: a look has shown the same before.
    if is_as_noted and not (shown.identity or "").startswith(ANSWERED):
        return
    if not is_as_noted:
        compare_answer(view, directory, record, noted)
    # Changed by somebody else just before: from now on its number is ours, and does not tell.
    if intent.is_beyond_next(record.revision):
        view.record_views[EXTERNAL_SLOT] = view.record_views[EXTERNAL_SLOT].changed_since()


def compare_answer(view: View, directory: Directory, record: Record, noted: Known | None) -> None:
    """The answer to a write of ours shows somebody or something else than before.

    It stands for this link's person: some systems name the account of our token. Not so what
    is known to be another's: what tells of that is news of its own.
    """
    shown, run = view.record_views[EXTERNAL_SLOT], view.run
    is_same = noted is not None and noted.remote_id == record.remote_id
    # It may only repeat what we sent: what a look has told stands until the next one.
    if noted is not None and is_same and noted.identity is not None:
        view.record_views[EXTERNAL_SLOT] = replace(shown, identity=noted.identity)
        return
    if not _is_known_to_be_anothers(view, directory, record):
        return
    # New on file: it was taken for this link's by what it told.
    identity = identity_shown(run.entity.external, run.contact.email, None)
    if is_same:
        identity = None
    view.record_views[EXTERNAL_SLOT] = replace(shown, identity=identity)


def identity_settled(view: View, intent: Intent, shown: RecordView) -> str | None:
    """Whose a record is, and of what, that shows how a write of unknown outcome landed."""
    slot, run, on_file = intent.slot, view.run, view.memory.get(intent.slot)
    # Whether it moved meanwhile is found out by a look.
    if on_file is not None and on_file.remote_id == shown.remote_id:
        if intent.is_beyond_next(shown.revision):
            return as_changed_since(on_file.identity)
        return on_file.identity
    # Not put on file before the write: it was this link's person's then, or it is ours.
    if slot.side is Side.EXTERNAL and intent.operation is not Operation.CREATE:
        return identity_shown(run.entity.external, run.contact.email, None)
    return shown.identity


def _is_known_to_be_anothers(view: View, directory: Directory, record: Record) -> bool:
    run = view.run
    if record.entity is not None:
        entity = directory.entity(run.site.id, Side.EXTERNAL, record.entity)
        if entity is not None and entity.id != run.entity.id:
            return True
    if not is_of_another(record.person.email, addresses_of(run)):
        return False
    email = normalise_email(record.person.email or "")
    contact = directory.contact(run.site.id, email=email)
    return contact is not None and contact.contact_id != run.link.key.contact_id
