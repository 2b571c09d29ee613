"""What an endpoint is: a right, what it is asked with, what it does, and the type of its answer.

The checks of a request and the document of the API come from the same types.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, get_type_hints
from urllib.parse import urlencode

from flask import Blueprint, g, request
from pydantic import BaseModel, TypeAdapter, ValidationError
from werkzeug.wrappers import Response

from sync_console.api.asked import KEY, Nothing
from sync_console.web.parts import needs, parts
from sync_console.web.programs import API, NotAsked
from sync_worker.services.access.forms import KeyUsed
from sync_worker.services.access.who import Right

api = Blueprint("api", __name__, url_prefix=API)
Do = TypeVar("Do", bound=Callable[..., Any])
Kept = Callable[[Any], object]
KEY_HEADER = "Idempotency-Key"
MAX_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``asked``: of the query of a GET, of the body of a POST; ``words``: what it is for."""

    method: str
    path: str
    right: Right
    asked: type[BaseModel]
    answer: TypeAdapter[Any]
    name: str
    words: str


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


def _declared(method: str, path: str, right: Right, asked: type[BaseModel], do: Any) -> Endpoint:
    answer = TypeAdapter[Any](get_type_hints(do)["return"])
    return Endpoint(method, path, right, asked, answer, do.__name__, (do.__doc__ or "").strip())


def _add(of: Endpoint, do: Callable[..., Any], view: Callable[..., Response]) -> None:
    ENDPOINTS.append(of)
    named = needs(of.right)(functools.wraps(do)(view))
    api.add_url_rule(of.path, of.name, named, methods=[of.method])


def _query(asked: type[BaseModel]) -> BaseModel:
    """Raises NotAsked."""
    return _checked(lambda: asked.model_validate(request.args.to_dict()))


def _body(asked: type[BaseModel]) -> BaseModel:
    """Raises NotAsked."""
    content = request.get_data() or b"{}"
    return _checked(lambda: asked.model_validate_json(content))


def _checked(validate: Callable[[], BaseModel]) -> BaseModel:
    try:
        return validate()
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise NotAsked({"body": "this is not JSON"}, 400) from None
        raise NotAsked({_field(one["loc"]): one["msg"] for one in found[:MAX_MESSAGES]}) from None


def _field(place: Sequence[int | str]) -> str:
    return ".".join(str(part)[:64] for part in place) or "body"


def _once(do: Callable[[], str]) -> str:
    """Raises NotAsked, UnderWay, and what ``do`` raises: then the key may be used again."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return do()
    if not KEY.fullmatch(key):
        raise NotAsked({KEY_HEADER: "1 to 255 visible ASCII characters"})
    asked = f"{request.full_path}\n".encode() + request.get_data()
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
