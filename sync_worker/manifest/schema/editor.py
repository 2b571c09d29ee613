"""The JSON Schema of manifests, for editors."""

from __future__ import annotations

from typing import Any

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.base import REFERENCE_SCHEMA


def editor_schema() -> dict[str, Any]:
    """A manifest is whole by itself, or ``extends`` another and states only what differs."""
    schema = Manifest.model_json_schema(by_alias=True)
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
