"""The calls of a system: operations, pages, what answers mean, and how often to look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sync_worker.manifest.schema.base import HeaderName, Path, Strict, one_of
from sync_worker.manifest.schema.polling import CreateAsync, Poll
from sync_worker.manifest.tree_outline import Part, outline_of

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ResultOf = Literal[
    "ok", "gone", "duplicate", "conflict", "retry", "rate_limited", "reject", "auth", "skip"
]
Writing = Literal["create", "update", "delete"]


class Condition(Strict):
    """What an answer or an event must hold, and where: in its body, or in a header."""

    path: Path | None = None
    header: HeaderName | None = None
    equals: str | int | bool

    @model_validator(mode="after")
    def _is_one_place(self) -> Condition:
        one_of(self, "path", "header")
        return self


class ErrorRule(Strict):
    """What an answer means; the first rule that fits counts, also for answers below 300."""

    status: tuple[int, ...] = Field(min_length=1)
    path: Path | None = None
    header: HeaderName | None = None
    """The name of a header that is compared instead of the body."""
    equals: str | int | bool | None = None
    outcome: ResultOf
    second_look: bool = False
    """Of ``gone``: the system documents no word for it, so a second look decides on purpose."""

    @model_validator(mode="after")
    def _compares_something(self) -> ErrorRule:
        if self.path is not None and self.header is not None:
            raise ValueError("needs path or header, not both: one thing is compared")
        if (self.path is None and self.header is None) != (self.equals is None):
            raise ValueError(
                "path (or header) and equals belong together: what the answer holds there, and what"
                " it must be"
            )
        return self

    @property
    def condition(self) -> Condition | None:
        """What the answer must hold besides the status, if anything."""
        if self.equals is None:
            return None
        return Condition(path=self.path, header=self.header, equals=self.equals)

    @property
    def is_bare_gone(self) -> bool:
        """Whether it takes a status alone for "gone".

        A status that the body repeats is no word of the system: WordPress says 404 in each of its
        404s.
        """
        is_status_again = str(self.equals) in {str(status) for status in self.status}
        return self.outcome == "gone" and (self.equals is None or is_status_again)


class Pagination(Strict):
    """How a listing goes on.

    A page that repeats the one before is an error: a cut listing must never look complete.
    """

    kind: Literal["none", "page", "offset", "cursor", "next_link"] = "none"
    param: str | None = None
    """Query parameter of the place; by default ``page``, ``offset`` or ``cursor``."""
    size_param: str | None = None
    """Query parameter of the page size; by default ``per_page`` (kind page) or ``limit`` (kind
    offset).
    """
    size: int = Field(default=100, gt=0)
    start: int = Field(default=1, ge=0)
    """Number of the first page."""
    total_pages_header: HeaderName | None = None
    total_pages_path: Path | None = None
    total_path: Path | None = None
    """Number of all records (kind offset)."""
    next_path: Path | None = None
    """Where the next cursor is (kind cursor)."""
    source: Literal["header", "body"] = "header"
    """Where the next link is: the header ``Link`` with ``rel="next"``, or ``path`` in the body."""
    path: Path | None = None
    max_pages: int = Field(default=10_000, gt=0)
    stop_on_repeat: bool = True

    @model_validator(mode="after")
    def _knows_the_next_page(self) -> Pagination:
        if self.kind == "cursor" and self.next_path is None:
            raise ValueError("pagination by cursor needs next_path")
        if self.kind == "next_link" and self.source == "body" and self.path is None:
            raise ValueError("pagination by next_link in the body needs path")
        return self

    @property
    def place_param(self) -> str:
        return self.param or {"page": "page", "offset": "offset"}.get(self.kind, "cursor")

    @property
    def page_size_param(self) -> str | None:
        return self.size_param or {"page": "per_page", "offset": "limit"}.get(self.kind)


class OperationSpec(Strict):
    """One call; ``path`` has ``{variables}``, ``query``, ``headers`` and ``body`` are typed trees
    with leaves.

    A leaf is ``{from: PATH, as:, default:, max_length:, values:, required:}``.
    """

    method: Method
    path: str = Field(pattern=r"^/")
    query: Mapping[str, Any] = {}
    headers: Mapping[HeaderName, Any] = {}
    body: Any = None
    encoding: Literal["json", "form"] = "json"
    """How ``body`` is sent."""
    success: tuple[int, ...] = ()
    """The only answers that count as done; by default every 2xx."""
    success_if: Condition | None = None
    """What such an answer must say besides, where a success may be none: ``{path: deleted, equals:
    true}``.
    """
    answer: Literal["json", "any"] = "json"
    """``any``: what it answers does not matter, and may be no JSON; the record is read again."""
    result_path: Path | None = None
    """Where the record is in the answer."""
    items_path: Path | None = None
    """Where the records are in the answer of a listing; of ``get``, where the system gives one by a
    filter: an empty list says that it is gone."""
    idempotency_header: HeaderName | None = None
    """Header that makes a repeated create safe."""
    pagination: Pagination = Pagination()
    errors: tuple[ErrorRule, ...] = ()

    @field_validator("path")
    @classmethod
    def _stays_in_its_place(cls, path: str) -> str:
        if (
            any(re.sub(r"\{[^{}]*\}", "x", segment) in (".", "..") for segment in path.split("/"))
            or "//" in path
        ):
            raise ValueError(
                f"{path!r} has an empty segment, '.' or '..' in it; write the whole path from the"
                " root"
            )
        if set(path) & set("?#"):
            raise ValueError(f"{path!r}: parameters belong under query")
        return path

    @cached_property
    def outline(self) -> tuple[Part, ...] | None:
        """The parts of the body; ``None`` if it is no mapping of parts."""
        return outline_of(self.body)

    @model_validator(mode="after")
    def _is_compiled_once(self) -> OperationSpec:
        _ = self.outline
        return self


class Hook(Strict):
    """An operation in Python, by its registered name (docs/connectors.md, plugins)."""

    handler: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")


class ParentsSpec(OperationSpec):
    """Lists what records live under, for systems that list records of one parent only."""

    id_path: Path
    """Id of a parent, inside one of the items."""
    when: Path | None = None
    """Only parents for which this is true, such as those with a number of reviews above 0."""


class AuthorSpec(Strict):
    """A person as a record of its own, which a new rating names by ``{from: author.id}``.

    Before a create the person is looked for by address, and made where there is none.
    """

    find: OperationSpec
    """Lists people by a filter; rows are compared by address again."""
    create: OperationSpec
    id: Path
    """The person's id, inside a row of ``find`` and inside what ``create`` returns."""
    email: Path
    """The person's address, inside a row of ``find``."""


class CatalogueSpec(OperationSpec):
    """Lists what can be rated, for pairing: paged as ``list``, each path inside one item."""

    id: Path
    """The id by which records name the thing, as ``fields.entity`` reads it."""
    sku: Path | None = None
    """Its stock keeping unit, where the thing has one and no more."""
    name: Path | None = None
    url: Path | None = None
    """Its page for buyers."""
    image: Path | None = None
    """The address of a picture of it."""
    group: Path | None = None
    """Its group, where ids are unique within a group only."""


class Operations(Strict):
    """What the system offers.

    What is not here, we do not do: ``ratings-sync connector show`` says what follows.
    """

    probe: OperationSpec | Hook | None = None
    get: OperationSpec | Hook | None = None
    find: OperationSpec | Hook | None = None
    list: OperationSpec | Hook | None = None
    parents: ParentsSpec | None = None
    catalogue: CatalogueSpec | None = None
    """What can be rated there."""
    no_catalogue: str = Field(default="", max_length=500)
    """Why the system cannot list that: products are paired from files then."""
    author: AuthorSpec | None = None
    create: OperationSpec | Hook | None = None
    update: OperationSpec | Hook | None = None
    delete: OperationSpec | Hook | None = None
    reply: OperationSpec | Hook | None = None
    """Answers a record in public, for the shop: ``{from: rating.reply}``."""
    may_write: OperationSpec | None = None
    """A request that changes nothing and needs the right to write: ``check --live`` and ``doctor``
    send it."""
    update_mode: Literal["patch", "full"] = "patch"
    """``full``: the system wants the whole record; it is sent as last returned with our fields over
    it.
    """
    read_only: tuple[str, ...] = ()
    """Keys of a record that a full update never sends back."""
    delete_means: Literal["hard", "trash", "hide", "unsupported"] = "hard"
    on_unsupported: Mapping[Writing, Literal["park", "ignore"]] = {}
    """What a change that the system cannot take does: ``park`` holds it visibly, ``ignore`` notes
    it and ends.
    """
    unique: bool = False
    """Whether the system itself refuses a second record of one person for one entity, whatever it
    holds.
    """
    create_async: CreateAsync | None = None
    poll: Poll | None = None

    @field_validator("on_unsupported", mode="before")
    @classmethod
    def _for_each(cls, value: Any) -> Any:
        return (
            {"create": value, "update": value, "delete": value} if isinstance(value, str) else value
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Operations:
        if self.delete_means == "unsupported" and self.delete is not None:
            raise ValueError("delete_means: unsupported, but there is an operation delete")
        if self.no_catalogue and self.catalogue is not None:
            raise ValueError("no_catalogue: WHY, but there is an operation catalogue")
        return self

    @property
    def specs(self) -> Iterator[tuple[str, OperationSpec]]:
        """The declared calls by name."""
        for name in (
            "probe",
            "get",
            "find",
            "list",
            "parents",
            "catalogue",
            "create",
            "update",
            "delete",
            "reply",
            "may_write",
        ):
            spec = getattr(self, name)
            if isinstance(spec, OperationSpec):
                yield name, spec
        if self.author is not None:
            yield "author.find", self.author.find
            yield "author.create", self.author.create
