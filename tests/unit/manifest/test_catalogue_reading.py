"""A row of a catalogue is an item, whatever stands in it; a manifest says what it can list."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.manifest.catalogue_reader import read_item
from sync_worker.manifest.check import check_manifest
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.loader import SHIPPED, load_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import CatalogueSpec
from sync_worker.manifest.schema.examples import CatalogueExample
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.manifest.summary import describe
from webhook_gateway.external import read_deliveries

SPEC = CatalogueSpec.model_validate(
    {
        "method": "GET",
        "path": "/products",
        "id": "id",
        "sku": "sku",
        "name": "title",
        "url": "link",
        "image": "pictures[0].src",
    }
)


def shipped(name: str) -> Manifest:
    return load_manifest(shipped_manifest(name), Placeholders({}))


def read(**row: Any) -> CatalogueItem:
    return read_item(SPEC, row)


def test_row_reads_as_item_with_what_the_paths_lead_to() -> None:
    item = read(
        id=22, sku=" M-1 ", title="Blue\nMug", link="https://s.example/mug", pictures=[{"src": ""}]
    )
    assert item == CatalogueItem("22", "M-1", "Blue Mug", url="https://s.example/mug")


@pytest.mark.parametrize("found", [None, "", "  ", True, [], {}, {"id": 1}])
def test_row_without_an_id_names_the_key_to_check(found: Any) -> None:
    with pytest.raises(Permanent, match=r"operations\.catalogue\.id"):
        read(id=found)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": "x" * 257}, "its id is no id"),
        ({"id": "a\x1b[31mb"}, "its id is no id"),
        ({"id": "1", "sku": "s" * 257}, "its SKU is not of at most 256"),
        ({"id": "1", "sku": "\u202egnp"}, "its SKU is not of at most 256"),
    ],
)
def test_what_the_ledger_has_no_room_for_is_a_problem(row: dict[str, Any], problem: str) -> None:
    assert problem in read_item(SPEC, row).problem


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//x.example", "https://x.example/a b", "h" * 3000, 7]
)
def test_address_that_no_browser_should_open_is_left_out(address: Any) -> None:
    item = read(id="1", link=address, pictures=[{"src": address}])
    assert (item.url, item.image, item.problem) == ("", "", "")


def test_long_name_is_cut_and_no_problem() -> None:
    item = read(id="1", title="n" * 5_000)
    assert (len(item.name), item.problem) == (200, "")


@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.yaml")))
def test_shipped_manifest_lists_products_or_says_why_not(name: str) -> None:
    operations = shipped(name).operations
    assert (operations.catalogue is None) == bool(operations.no_catalogue)
    said = describe(shipped(name)).can["lists its products"]
    assert said.startswith("no, so" if operations.no_catalogue else "yes")


def advice_of(manifest: Manifest) -> dict[str, str]:
    findings = check_manifest(manifest, read_deliveries, WIX_SCALE, 0.0)
    return {finding.what: finding.advice or finding.wrong for finding in findings}


def test_manifest_that_says_nothing_of_products_is_right_and_says_so() -> None:
    manifest = shipped("woocommerce")
    without = manifest.operations.model_copy(update={"catalogue": None})
    silent = manifest.model_copy(update={"operations": without})
    assert advice_of(silent) == advice_of(manifest)
    assert describe(silent).can["lists its products"] == "no, so they are paired from files"


@pytest.mark.parametrize(
    ("row", "expect", "wrong"),
    [
        ({"id": 22, "name": "Mug"}, {"id": "22", "name": "Mug"}, ""),
        ({"id": 22}, {"id": "23"}, "id: expected '23', is '22'"),
        ({"name": "Mug"}, "malformed", ""),
        ({"id": 22}, "malformed", "expected malformed, but it can be read"),
    ],
)
def test_sample_of_the_catalogue_is_compared(row: Any, expect: Any, wrong: str) -> None:
    manifest = shipped("woocommerce")
    sample = CatalogueExample.model_validate({"name": "a mug", "row": row, "expect": expect})
    examples = manifest.examples.model_copy(update={"catalogue": (sample,)})
    said = advice_of(manifest.model_copy(update={"examples": examples}))
    assert said["catalogue: a mug"] == wrong
