"""Every manifest that ships or is printed: it loads, its samples hold, its limits are said; wrong
ones are refused.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from sync_worker.manifest.check import check_manifest, signed_by
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.loader import SHIPPED, load_manifest, parse_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.editor import editor_schema
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.manifest.summary import describe, ways
from webhook_gateway.external import read_deliveries

ROOT = Path(__file__).parents[3]
PRINTED = ROOT / "tests" / "manifests"
ALL = [
    *sorted(SHIPPED.glob("*.yaml")),
    *sorted(PRINTED.glob("*.yaml")),
    ROOT / "examples" / "plugin" / "acme-graphql.yaml",
    *sorted((ROOT / "examples" / "connectors").glob("*.yaml")),
]


def loaded(file: Path) -> Manifest:
    return load_manifest(file, Placeholders({}))


def shipped(name: str) -> Manifest:
    return loaded(shipped_manifest(name))


@pytest.mark.parametrize("file", ALL, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_manifest_loads_and_every_sample_in_it_comes_to_what_it_says(file: Path) -> None:
    findings = check_manifest(loaded(file), read_deliveries, WIX_SCALE, time.time())
    assert [finding for finding in findings if not finding.is_good] == []


@pytest.mark.parametrize(
    "name", [file.stem for file in sorted(SHIPPED.glob("*.yaml")) if file.stem != "own-service"]
)
def test_shipped_manifest_brings_samples_of_both_kinds(name: str) -> None:
    examples = shipped(name).examples
    assert examples.deliveries
    assert examples.records


def test_sample_that_does_not_hold_is_noticed() -> None:
    document = yaml.safe_load(shipped_manifest("woocommerce").read_text())
    document["examples"]["records"][0]["expect"]["value"] = 3
    document["examples"]["deliveries"][0]["expect"] = "ignored"
    document["examples"]["deliveries"][1]["expect"] = [{"change": "upsert", "remote_id": "4712"}]
    manifest = parse_manifest(document, Placeholders({}), Path("woo.yaml"))
    findings = check_manifest(manifest, read_deliveries, WIX_SCALE, time.time())
    assert [finding.wrong for finding in findings if not finding.is_good] == [
        "expected ignored, is deliveries",
        "expected 1 deliveries, is rejected (bad_signature)",
        "value: expected 3, is 4",
    ]


# -- what follows from them

WAYS = {
    "own-service": "two-way",
    "woocommerce": "two-way",
    "fera": "two-way",
    "bigcommerce": "two-way",
    "judgeme": "to Wix; create, delete outwards",
    "reviewsio": "to Wix; create outwards",
    "okendo": "to Wix only",
    "trustpilot": "to Wix only",
    "ecwid": "to Wix; delete outwards",
}


@pytest.mark.parametrize("name", sorted(WAYS))
def test_ways_of_a_connector_are_derived(name: str) -> None:
    assert ways(shipped(name)) == WAYS[name]


def test_every_shipped_connector_is_in_the_table_above() -> None:
    assert {file.stem for file in SHIPPED.glob("*.yaml")} == set(WAYS)


def test_two_way_platforms_are_searched_before_each_create() -> None:
    """Two-way platforms have no revisions and are searched before each create."""
    for name in ("woocommerce", "fera", "bigcommerce"):
        can = shipped(name).capabilities
        assert (can.has_revision, can.is_unique, can.trusts_payload) == (False, False, False)
        assert can.can_create
        assert can.can_update
        assert can.can_delete


def test_what_a_system_does_not_offer_is_a_capability_it_lacks() -> None:
    judgeme, okendo, ecwid = (shipped(name).capabilities for name in ("judgeme", "okendo", "ecwid"))
    assert (judgeme.can_create, judgeme.create_is_async, judgeme.can_update) == (True, True, False)
    assert (okendo.can_create, okendo.can_update, okendo.can_delete, okendo.trusts_payload) == (
        False,
        False,
        False,
        True,
    )
    assert okendo.ignored_operations == {"create", "update", "delete"}
    assert ecwid.ignored_operations == frozenset()


def test_systems_that_cannot_be_searched_say_so() -> None:
    """Who may have several records there is not searched for before an erasure."""
    names = ("woocommerce", "fera", "bigcommerce", "ecwid", "okendo", "trustpilot")
    can_find = {name: shipped(name).capabilities.can_find for name in names}
    assert [name for name, can in can_find.items() if not can] == ["ecwid", "okendo", "trustpilot"]


@pytest.mark.parametrize("name", ["fera", "judgeme", "reviewsio", "okendo", "trustpilot"])
def test_hosted_review_platform_starts_with_writing_off(name: str) -> None:
    assert shipped(name).first_policies == {"direction": "to_wix"}


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        (
            "judgeme",
            (
                "A changed Wix rating cannot be carried over: it is held and shown (reason"
                " `unsupported`)."
            ),
        ),
        (
            "judgeme",
            (
                "A full scan sees at most 10000 records; beyond that it stops with an error and"
                " deletes nothing."
            ),
        ),
        ("trustpilot", "Records carry no e-mail address"),
        ("bigcommerce", "Events tell of the product only"),
        ("fera", "does not cover its body"),
        ("reviewsio", "The product's list holds no e-mail address"),
        (
            "okendo",
            "A new Wix rating cannot be carried over: it is noted in the history and ends there.",
        ),
    ],
)
def test_limit_is_said_in_words(name: str, limit: str) -> None:
    assert any(limit in one for one in describe(shipped(name)).limits)


# -- for people who write one


def test_every_key_of_the_schema_is_explained_in_the_documentation() -> None:
    page = (ROOT / "docs" / "connectors.md").read_text()
    schema = editor_schema()
    parts = [schema, *schema["$defs"].values()]
    keys = {key for part in parts for key in part.get("properties", {})}
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    assert sorted(keys - {word for span in spans for word in re.findall(r"\w+", span)}) == []


def test_schema_for_editors_knows_references_and_every_section() -> None:
    schema = editor_schema()
    assert {"version", "key", "fields", "scale", "operations", "webhook", "extends"} <= set(
        schema["properties"]
    )
    assert schema["$defs"]["BearerAuth"]["properties"]["token"]["properties"].keys() == {
        "setting",
        "env",
        "file",
    }
    assert schema["additionalProperties"] is False


def test_schema_for_editors_says_what_stands_below_each_attribute() -> None:
    sections = editor_schema()["$defs"]
    own = sections["CatalogueSpec"]["properties"]["url"]
    inherited = sections["CatalogueSpec"]["properties"]["encoding"]
    assert own["description"] == "Its page for buyers."
    assert inherited["description"] == "How ``body`` is sent."


def test_sample_secret_replaces_every_secret_of_the_webhook() -> None:
    manifest = signed_by(shipped("judgeme"), "sample")
    assert manifest.webhook is not None
    assert [list(scheme.secrets) for scheme in manifest.webhook.verify] == [["sample"], ["sample"]]
