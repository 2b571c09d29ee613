"""What an endpoint is: a right, what it is asked with, what it does, and the type of its answer.

The checks of a request and the document of the API come from the same types.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, get_type_hints
from urllib.parse import urlencode

from flask import Blueprint, g, request
from pydantic import BaseModel, TypeAdapter, ValidationError
from werkzeug.wrappers import Response

from sync_console.api.asked import KEY, Name, Nothing
from sync_console.web.parts import needs, parts
from sync_console.web.programs import API, NotAsked
from sync_worker.services.access.forms import KeyUsed
from sync_worker.services.access.who import Right
from sync_worker.services.imports.sending import MAX_FILE_BYTES, received

api = Blueprint("api", __name__, url_prefix=API)
Do = TypeVar("Do", bound=Callable[..., Any])
Asked = TypeVar("Asked", bound=BaseModel)
Kept = Callable[[Any], object]
KEY_HEADER = "Idempotency-Key"
MAX_MESSAGES = 20


class Named(Nothing):
    """What is asked with a file: ``name``, as the file is called."""

    name: Name = "ratings.csv"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``asked``: of the query of a GET, of the body of a POST; ``words``: what it is for.

    ``files``: kinds of files of which the body is one; then ``asked`` is of the query.
    """

    method: str
    path: str
    right: Right
    asked: type[BaseModel]
    answer: TypeAdapter[Any]
    name: str
    words: str
    files: Sequence[str] = ()


ENDPOINTS: list[Endpoint] = []


def unchanged(answer: object) -> object:
    """All of an answer may be kept."""
    return answer


def get(path: str, right: Right, asked: type[BaseModel] = Nothing) -> Callable[[Do], Do]:
    """``do(asked, **ids)`` looks something up."""

    def declare(do: Do) -> Do:
        of = _declared("GET", path, right, asked, do)

        def view(**ids: Any) -> Response:
            return _json(_text(of, do(_query(asked), **ids)))

        _add(of, do, view)
        return do

    return declare


def post(
    path: str, right: Right, asked: type[BaseModel] = Nothing, kept: Kept = unchanged
) -> Callable[[Do], Do]:
    """``do(asked, **ids)`` changes something, once for each key that a program gives.

    ``kept``: what of its answer is written down, for a request that is sent again: no secret.
    """

    def declare(do: Do) -> Do:
        of = _declared("POST", path, right, asked, do)

        def view(**ids: Any) -> Response:
            given, told = _body(asked), list[str]()

            def act() -> str:
                answer = do(given, **ids)
                told.append(_text(of, answer))
                return _text(of, kept(answer))

            first = _once(act)
            return _json(told[0] if told else first)

        _add(of, do, view)
        return do

    return declare


def upload(path: str, right: Right, asked: type[Named], files: Sequence[str]) -> Callable[[Do], Do]:
    """``do(asked, file, **ids)`` takes a file, which is the body, once for each key.

    ``files``: kinds of it. It is read piece by piece, and is gone afterwards.
    """

    def declare(do: Do) -> Do:
        of = replace(_declared("POST", path, right, asked, do), files=files)

        def view(**ids: Any) -> Response:
            given, mark = _query(asked), hashlib.sha256()
            request.max_content_length = MAX_FILE_BYTES
            with received(request.stream, given.name, mark.update) as file:
                return _json(_once(lambda: _text(of, do(given, file, **ids)), mark.digest()))

        _add(of, do, view)
        return do

    return declare


def _declared(method: str, path: str, right: Right, asked: type[BaseModel], do: Any) -> Endpoint:
    answer = TypeAdapter[Any](get_type_hints(do)["return"])
    return Endpoint(method, path, right, asked, answer, do.__name__, (do.__doc__ or "").strip())


def _add(of: Endpoint, do: Callable[..., Any], view: Callable[..., Response]) -> None:
    ENDPOINTS.append(of)
    named = needs(of.right)(functools.wraps(do)(view))
    api.add_url_rule(of.path, of.name, named, methods=[of.method])


def _query(asked: type[Asked]) -> Asked:
    """Raises NotAsked."""
    words: dict[str, object] = dict(request.args.to_dict())
    for name, field in asked.model_fields.items():
        # What may be there several times.
        if field.default_factory is list and name in words:
            words[name] = request.args.getlist(name)
    return _checked(lambda: asked.model_validate(words))


def _body(asked: type[Asked]) -> Asked:
    """Raises NotAsked."""
    content = request.get_data() or b"{}"
    return _checked(lambda: asked.model_validate_json(content))


def _checked(validate: Callable[[], Asked]) -> Asked:
    try:
        return validate()
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise NotAsked({"body": "this is not JSON"}, 400) from None
        raise NotAsked({_field(one["loc"]): one["msg"] for one in found[:MAX_MESSAGES]}) from None


def _field(place: Sequence[int | str]) -> str:
    return ".".join(str(part)[:64] for part in place) or "body"


def _once(do: Callable[[], str], content: bytes | None = None) -> str:
    """``content``: what stands for the body, if that is read already.

    Raises NotAsked, UnderWay, and what ``do`` raises: then the key may be used again.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return do()
    if not KEY.fullmatch(key):
        raise NotAsked({KEY_HEADER: "1 to 255 visible ASCII characters"})
    sent = request.get_data() if content is None else content
    asked = f"{request.full_path}\n".encode() + sent
    mark = hashlib.sha256(asked).hexdigest()
    try:
        return parts().access.forms.once_by_key(key, g.token, mark, do)
    except KeyUsed as used:
        raise NotAsked({KEY_HEADER: used.message}) from None


def _text(of: Endpoint, answer: object) -> str:
    # Words from outside may hold what UTF-8 has no place for: all but ASCII is escaped.
    return json.dumps(of.answer.dump_python(answer, mode="json"), ensure_ascii=True)


def _json(text: str) -> Response:
    return Response(text, content_type="application/json")


class Behind(TypedDict):
    """Where the next page of a list begins; see answers.Paged."""

    next_after: int | str | None
    next: str | None


def behind(after: int | str | None) -> Behind:
    """``after``: the last one of this page; none, 0 or empty: there is no further page."""
    if not after:
        return {"next_after": None, "next": None}
    words: Mapping[str, str] = {**request.args.to_dict(), "after": str(after)}
    return {"next_after": after, "next": f"{request.path}?{urlencode(words)}"}
