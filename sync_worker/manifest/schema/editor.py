"""The JSON Schema of manifests, for editors."""

from __future__ import annotations

from typing import Any

from sync_worker.manifest.manifest import Manifest


def editor_schema() -> dict[str, Any]:
    """A manifest is whole by itself, or ``extends`` another and states only what differs."""
    schema = Manifest.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "ratings-sync connector manifest"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Name of a connector that ships, or of a manifest beside this one",
    }
    reference = {
        "type": "object",
        "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    properties = schema["properties"]
    properties["base_url"] = {"anyOf": [properties["base_url"], reference]}
    properties["conn"]["additionalProperties"] = {"anyOf": [{"type": "string"}, reference]}
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends", "id"]}]
    return schema
