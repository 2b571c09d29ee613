"""The JSON Schema of manifests, for editors."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.base import REFERENCE_SCHEMA, Strict


def editor_schema() -> dict[str, Any]:
    """A manifest is whole by itself, or ``extends`` another and states only what differs."""
    schema = Manifest.model_json_schema(by_alias=True, schema_generator=_WithDescriptions)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "ratings-sync connector manifest"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Name of a connector that ships, or of a manifest beside this one",
    }
    properties = schema["properties"]
    properties["base_url"] = {"anyOf": [properties["base_url"], REFERENCE_SCHEMA]}
    properties["conn"]["additionalProperties"] = {"anyOf": [{"type": "string"}, REFERENCE_SCHEMA]}
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends", "id"]}]
    return schema


class _WithDescriptions(GenerateJsonSchema):
    """Each attribute has the text that stands below it.

    Pydantic's own ``use_attribute_docstrings`` reads the source of each section whenever a process
    starts, which took a tenth of the start of every command; only editors ask for it.
    """

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        for owner in reversed(schema["cls"].__mro__):
            if not issubclass(owner, Strict):
                continue
            for name, words in _below_attributes(owner).items():
                known_as = schema["cls"].model_fields[name].alias or name
                found["properties"][known_as]["description"] = words
        return found


def _below_attributes(owner: type) -> dict[str, str]:
    section = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    return {
        attribute.target.id: inspect.cleandoc(below.value.value)
        for attribute, below in pairwise(getattr(section, "body", []))
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
