"""The OpenAPI 3.1 document, made of the same types that check requests and write answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Response, jsonify
from pydantic import TypeAdapter

from sync_console.api.endpoints import ENDPOINTS, KEY_HEADER, Endpoint, api
from sync_console.web.parts import open_to_all
from sync_console.web.programs import API, PROBLEM

ARGUMENT = re.compile(r"<(?:(?P<kind>int)\(max=(?P<most>\d+)\):)?(?P<name>\w+)>")
REF = "#/components/schemas/{model}"
# What any endpoint may answer besides its own.
PROBLEMS = {
    "400": "It is no request that can be read",
    "401": "No token, or none that counts",
    "403": "The token has not this scope here",
    "404": "There is no such thing here",
    "409": "Somebody changed it meanwhile, or it is being done; nothing was done",
    "413": "It is larger than it may be",
    "422": "A field is not as it should be",
    "429": "Too many requests: Retry-After says when to go on",
    "503": "It does not work just now; try again",
}
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457). ``code``: a word for programs; ``errors``: by field.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


@api.get("/openapi.json")
@open_to_all
def openapi() -> Response:
    """This document: it has no secret, so anybody may read it."""
    return jsonify(document())


@lru_cache
def document() -> Mapping[str, Any]:
    asked = {of.asked: TypeAdapter[Any](of.asked) for of in ENDPOINTS}
    wanted = [(("asked", kind.__name__), "validation", of) for kind, of in asked.items()]
    wanted += [(("answer", of.name), "serialization", of.answer) for of in ENDPOINTS]
    schemas, shared = TypeAdapter.json_schemas(wanted, ref_template=REF)  # type: ignore[arg-type]  # invariant list
    known = {key: schema for (key, _mode), schema in schemas.items()}
    defined = dict(shared.get("$defs", {}))
    paths: dict[str, Any] = {}
    for of in ENDPOINTS:
        operation = _operation(of, known, defined)
        paths.setdefault(ARGUMENT.sub(r"{\g<name>}", of.path), {})[of.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ratings-sync",
            "version": "1",
            "description": "What the console shows and does, for programs.",
        },
        "servers": [{"url": API}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**defined, "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": _content("An error", PROBLEM, _ref("Problem"))},
        },
    }


def _operation(of: Endpoint, known: Mapping[Any, Any], defined: Mapping[str, Any]) -> Any:
    asked = known["asked", of.asked.__name__]
    fields = _resolved(asked, defined)
    found: dict[str, Any] = {
        "operationId": of.name,
        "summary": of.words.splitlines()[0],
        "description": f"{of.words}\n\nScope: `{of.right}`.",
        "parameters": [_in_path(match) for match in ARGUMENT.finditer(of.path)],
        "responses": {"200": _content("Done", "application/json", known["answer", of.name])},
    }
    for status, words in PROBLEMS.items():
        found["responses"][status] = _content(words, PROBLEM, _ref("Problem"))
    if of.method == "GET" or of.files:
        found["parameters"] += [
            _in_query(name, schema) for name, schema in fields.get("properties", {}).items()
        ]
    if of.method == "GET":
        return found
    found["parameters"].append(
        {
            "name": KEY_HEADER,
            "in": "header",
            "description": "Sent again within 24 hours, the request is not done a second time.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    )
    found["requestBody"] = _body(of, asked, is_needed=bool(fields.get("required")))
    return found


def _body(of: Endpoint, asked: Any, *, is_needed: bool) -> Any:
    """A JSON object, or a file."""
    if of.files:
        # No schema: it is bytes as they are (OpenAPI 3.1, section 4.8.14.3).
        return {"required": True, "content": {kind: {} for kind in of.files}}
    return {"required": is_needed, "content": {"application/json": {"schema": asked}}}


def _resolved(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return defined[name] if name else schema


def _in_path(match: re.Match[str]) -> Mapping[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if match["kind"]:
        schema = {"type": "integer", "minimum": 0, "maximum": int(match["most"])}
    return {"name": match["name"], "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: Any) -> Mapping[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _content(words: str, kind: str, schema: Any) -> Mapping[str, Any]:
    return {"description": words, "content": {kind: {"schema": schema}}}


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": REF.format(model=name)}
