"""One live system: its manifest, its calls, and the first rows that it lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.values import EntityRef, Person, Record
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.record_reader import read_record, read_remote_id
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.remotes.external.calls import ExternalCalls, RawPage
from sync_worker.remotes.external.catalogue import catalogue_of
from sync_worker.remotes.external.plugins import handlers_of
from sync_worker.remotes.external.remote import ExternalRemote
from sync_worker.remotes.http.client import RemoteHttp

MAX_PARENTS = 5  # of which the first records are looked for


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of the listing, with what the request for them knew."""

    items: Sequence[Any]
    context: Mapping[str, Any]
    place: Place | None


class LiveSystem:
    """A declared system over real HTTP. Errors as for ``Remote``."""

    def __init__(self, manifest: Manifest, http: RemoteHttp) -> None:
        self.manifest = manifest
        handlers = handlers_of(manifest)
        self.calls = ExternalCalls(manifest, http, handlers)
        self.remote = ExternalRemote(manifest, http, handlers)
        self.catalogue = catalogue_of(manifest, http)

    @property
    def listing(self) -> OperationSpec | None:
        """The declared listing, if it is no hook."""
        spec = self.manifest.operations.list
        return spec if isinstance(spec, OperationSpec) else None

    def page(
        self,
        spec: OperationSpec,
        context: Mapping[str, Any],
        place: Place | None = None,
        more: Mapping[str, str] | None = None,
    ) -> RawPage:
        """One page of the listing, perhaps in another size."""

        def id_of(item: Any) -> str | None:
            return read_remote_id(self.manifest, item, context)

        where = "operations.list"
        return self.calls.page_of(spec, where, "list", context, place or Place(), id_of, more)

    @cached_property
    def rows(self) -> Rows:
        """The first rows; of a system that lists by product, those of the first ones with any."""
        context: Mapping[str, Any] = self.calls.context()
        for context in self._contexts():
            page = self.calls.page("list", context, Place(), self._id_in(context))
            if page.items:
                return Rows(page.items, context, page.place)
        return Rows((), context, None)

    def _contexts(self) -> Iterator[Mapping[str, Any]]:
        if not self.manifest.lists_by_parent:
            yield self.calls.context()
            return
        spec = self.manifest.operations.parents
        if spec is None:
            return
        page = self.calls.page("parents", self.calls.context(), Place(), lambda item: None)
        chosen = [item for item in page.items if spec.when is None or search(spec.when, item)]
        for parent in [search(spec.id_path, item) for item in chosen][:MAX_PARENTS]:
            yield self.calls.context(entity={"external_id": str(parent), "group": ""})

    def searched(self, entity: EntityRef, person: Person) -> list[Record]:
        """The first page of the search before a create, whatever it lists."""
        context = self.calls.context(
            entity={"external_id": entity.entity_id, "group": entity.group},
            contact={"email": person.email, "name": person.name, "wix_id": person.contact_id},
        )
        page = self.calls.page("find", context, Place(), self._id_in(context))
        found = []
        for item in page.items:
            with suppress(Permanent):
                found.append(read_record(self.manifest, item, context))
        return found

    def _id_in(self, context: Mapping[str, Any]) -> Any:
        return lambda item: read_remote_id(self.manifest, item, context)

    def readable(self) -> tuple[list[Record], list[Permanent]]:
        """The records among the first rows, and why others are none."""
        records, errors = [], []
        for item in self.rows.items:
            try:
                records.append(read_record(self.manifest, item, self.rows.context))
            except Permanent as error:
                errors.append(error)
        return records, errors
