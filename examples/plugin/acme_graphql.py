"""A connector in Python, for what cannot be declared: a GraphQL API with errors inside a 200.

It is handed its manifest and a client that already keeps the deadline, the budget, the credentials
and the allowed hosts, and implements ``sync_worker.plugin.Remote``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_worker.plugin import (
    MAIN_FIELD,
    Answer,
    Call,
    Capabilities,
    Draft,
    Duplicate,
    EntityRef,
    Gone,
    Manifest,
    Page,
    Permanent,
    Person,
    Record,
    RemoteHttp,
    Side,
    SyncError,
    Transient,
    UnknownOutcome,
    read_record,
)

RATING = "id product email stars"
ERRORS: dict[str, type[SyncError]] = {"NOT_FOUND": Gone, "EXISTS": Duplicate}


class AcmeGraphql:
    """Implements ``Remote``."""

    side = Side.EXTERNAL
    capabilities = Capabilities(
        has_revision=False, update_precondition=False, is_unique=True, trusts_payload=False
    )

    def __init__(self, manifest: Manifest, http: RemoteHttp) -> None:
        self._manifest, self._http = manifest, http

    def reserve_request(self) -> None:
        self._http.reserve_request()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return None  # its events are hints

    def get(self, remote_id: str) -> Record | None:
        found = self._ask(
            f"query($id: ID!) {{ rating(id: $id) {{ {RATING} }} }}", {"id": remote_id}
        )["rating"]
        return None if found is None else read_record(self._manifest, found)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        wanted = {"product": entity.entity_id, "email": person.email}
        query = (
            "query($product: ID!, $email: String!) { ratings(product: $product, email: $email) {"
            f" {RATING} }} }}"
        )
        return [read_record(self._manifest, one) for one in self._ask(query, wanted)["ratings"]]

    def list_page(self, cursor: str | None = None) -> Page:
        query = f"query($after: String) {{ page(after: $after) {{ nodes {{ {RATING} }} end }} }}"
        page = self._ask(query, {"after": cursor})["page"]
        return Page([read_record(self._manifest, one) for one in page["nodes"]], page["end"])

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        variables = {
            "product": draft.entity.entity_id,
            "email": draft.person.email,
            **_stars(draft),
        }
        mutation = "mutation($product: ID!, $email: String!, $stars: Int!)"
        answer = self._ask(
            f"{mutation} {{ create(product: $product, email: $email, stars: $stars) {{ {RATING}"
            " } }",
            variables,
            is_write=True,
        )
        return read_record(self._manifest, answer["create"])

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        mutation = (
            f"mutation($id: ID!, $stars: Int!) {{ update(id: $id, stars: $stars) {{ {RATING} }} }}"
        )
        answer = self._ask(mutation, {"id": remote_id, **_stars(draft)}, is_write=True)
        return read_record(self._manifest, answer["update"])

    def delete(self, remote_id: str, revision: int | None) -> None:
        try:
            self._ask("mutation($id: ID!) { delete(id: $id) }", {"id": remote_id}, is_write=True)
        except Gone:
            return  # already gone is the outcome we wanted

    def _ask(
        self, query: str, variables: Mapping[str, Any], *, is_write: bool = False
    ) -> Mapping[str, Any]:
        answer = self._http.call(
            Call(
                "POST",
                "/graphql",
                "mutation" if is_write else "query",
                json={"query": query, "variables": variables},
                is_write=is_write,
                is_idempotent=not is_write,
                outcomes=_outcome,
            )
        )
        found = answer.body["data"] if isinstance(answer.body, dict) else None
        # An answer without what was asked for says nothing: a write may be done all the same.
        if not isinstance(found, dict) or (is_write and None in found.values()):
            raise UnknownOutcome if is_write else Transient("the system answered nothing")
        return found


def _stars(draft: Draft) -> dict[str, int]:
    return {"stars": int(draft.values[MAIN_FIELD])}


def _outcome(answer: Answer) -> SyncError | None:
    """The first error inside an answer, also of a 200."""
    errors = answer.body.get("errors") if isinstance(answer.body, dict) else None
    if not errors:
        return None
    known = ERRORS.get(errors[0].get("code"))
    return (
        known()
        if known is not None
        else Permanent("the system refuses this rating", reason="refused")
    )


def get_by_search(http: RemoteHttp, manifest: Manifest, context: Mapping[str, Any]) -> Any:
    """A single hook: ``operations: {get: {handler: acme.get}}`` in an otherwise declared
    connector.
    """
    found = http.call(Call("GET", "/search", "get", query={"id": context["key"]["id"]})).body
    return found[0] if found else None
