"""People who are records of their own at a system: found by address, or made, before a create."""

from __future__ import annotations

from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Conflict, Duplicate, Permanent, Transient, UnknownOutcome
from sync_worker.core.values import Person
from sync_worker.manifest.field_values import search
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.schema.calls import AuthorSpec
from sync_worker.remotes.external.calls import Context, ExternalCalls, Options

WHERE = "operations.author"


class Authors:
    """``operations.author`` of one manifest. Errors as for ``Remote``."""

    def __init__(self, spec: AuthorSpec, calls: ExternalCalls) -> None:
        self._spec, self._calls = spec, calls

    def id_of(self, person: Person, contact: Context) -> Any:
        """The system's id of a person, as it gave it.

        ``contact``: the person as calls are filled with. Raises Transient where it is not known yet
        whether the person was made.
        """
        context = self._calls.context(contact=contact)
        found = self._found(person, context)
        return self._made(person, context) if found is None else found

    def _found(self, person: Person, context: Context) -> Any:
        """The oldest with this address on the first page that shows one.

        Filters that a system ignores return everybody. Two may have been made at once: all who
        look must find the same.
        """
        spec, place = self._spec.find, Place()
        wanted = None if person.email is None else normalise_email(person.email)
        while wanted is not None:
            page = self._calls.page_of(
                spec, f"{WHERE}.find", "author.find", context, place, self._text_id
            )
            ids = [self._id_in(row) for row in page.items if self._email_in(row) == wanted]
            if ids:
                return min(ids, key=_age)
            if page.place is None:
                return None
            place = page.place
        return None

    def _made(self, person: Person, context: Context) -> Any:
        spec = self._spec.create
        # Sent once: a second try after a lost answer would make a second person.
        once = Options(is_write=True, is_idempotent=False)
        try:
            answer = self._calls.send(spec, "author.create", context, once)
            body = answer.body
            author = search(spec.result_path, body) if spec.result_path is not None else body
            made = self._id_in(author)
        except (UnknownOutcome, Duplicate, Conflict) as error:
            # It may be there now; a rating is sent only once that is known.
            found = self._found(person, context)
            if found is None:
                raise Transient(f"whether the author was made is not known yet: {error}") from None
            return found
        # Somebody else may have made the same person meanwhile. A listing that lags shows neither.
        found = self._found(person, context)
        return made if found is None else found

    def _id_in(self, row: Any) -> Any:
        found = search(self._spec.id, row)
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise Permanent(
                f"the author has no id at {WHERE}.id ({self._spec.id})", reason="cannot_write"
            )
        return found

    def _text_id(self, row: Any) -> str | None:
        found = search(self._spec.id, row)
        return None if found is None else str(found)

    def _email_in(self, row: Any) -> str | None:
        found = search(self._spec.email, row)
        return normalise_email(found) if isinstance(found, str) and found else None


def _age(author_id: str | int) -> tuple[int, str]:
    """The lowest first: 9 before 10, also as text."""
    text = str(author_id)
    return len(text), text
