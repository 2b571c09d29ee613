"""What a connector in Python imports: the one module whose names stay where they are.

A package registers its connector under the entry point group ``ratings_sync.connectors`` and a
manifest names it (``plugin: NAME``). It is called with ``(manifest, http)`` and returns a
``Remote``. A plugin implements:

- ``side``, ``capabilities``: ``Side.EXTERNAL``, and what the system can do
- ``reserve_request``: hand it on to ``http``
- ``record_in``, ``get``, ``find``, ``list_page``: records as the system shows them
- ``create``, ``update``, ``delete``: writes; ``create`` and ``update`` return the record as written

Words travel if ``Capabilities.words`` names them (``{"body": TextRule(max_length=500)}``): records
then show them in ``Record.words``, and ``Draft.words`` and ``Draft.changed`` say what to write.

It may have three more: ``children(parent_id)`` where events name only a product,
``changed_page(since, cursor)`` where changes alone can be listed (both: see ``Connection``), and
``probe()``, a harmless call for ``ratings-sync doctor``, which returns whether there is one.

All calls go through ``http``, which keeps the deadline, the budget, the credentials and the allowed
hosts, and raises the errors below. ``Call.outcomes`` is where a plugin turns an answer into one.
``examples/plugin`` is a whole one, docs/connectors.md the page about them.
"""

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Capabilities, Connection, Page, Remote
from sync_worker.core.values import Draft, EntityRef, Person, Record, RecordState, Side
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import MAIN_FIELD, read_record
from sync_worker.remotes.http.calls import Answer, Call
from sync_worker.remotes.http.client import RemoteHttp

__all__ = [
    "BODY",
    "MAIN_FIELD",
    "REPLY",
    "TITLE",
    "Answer",
    "Call",
    "Capabilities",
    "Conflict",
    "Connection",
    "Draft",
    "Duplicate",
    "EntityRef",
    "Gone",
    "Manifest",
    "Misconfigured",
    "Page",
    "Permanent",
    "Person",
    "RateLimited",
    "Record",
    "RecordState",
    "Remote",
    "RemoteHttp",
    "Side",
    "SyncError",
    "TextRule",
    "Transient",
    "UnknownOutcome",
    "read_record",
]
