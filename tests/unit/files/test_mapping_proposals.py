"""Proposals are certain or they are doubts: by id before SKU before name, and never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.core.values import Contact
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.files.mapping_files import check_fields, read_entities
from sync_worker.files.proposals import propose_contacts, propose_entities, read_catalogue
from sync_worker.files.rows import BadFile

PRODUCT = "985f3c2e-0000-4000-8000-431e93e46806"


def pairs(wix: list[CatalogueItem], external: list[CatalogueItem]) -> list[tuple[str, str, str]]:
    return [
        (pair.wix.id, pair.external.id, pair.way) for pair in propose_entities(wix, external).pairs
    ]


def test_equal_id_goes_before_sku_and_sku_before_name() -> None:
    wix = [
        CatalogueItem("1", "S1", "Tea"),
        CatalogueItem("2", "S2", "Mug"),
        CatalogueItem("3", "", "Green  TEA"),
    ]
    external = [
        CatalogueItem("1", "S9", "Else"),
        CatalogueItem("8", "S2", "Cup"),
        CatalogueItem("9", "", "green tea"),
    ]
    assert pairs(wix, external) == [("1", "1", "id"), ("2", "8", "sku"), ("3", "9", "name")]


def test_what_stands_twice_on_a_side_is_a_doubt_with_the_reason() -> None:
    wix, external = (
        [CatalogueItem("1", "S1", "Tea"), CatalogueItem("2", "S1", "Mug")],
        [CatalogueItem("8", "S1", "Pot")],
    )
    proposal = propose_entities(wix, external)
    assert not proposal.pairs
    assert [doubt.item.id for doubt in proposal.doubts] == ["1", "2", "8"]
    assert proposal.doubts[0].reason == "sku 'S1' stands 2 times on Wix and 1 times outside"


def test_a_later_way_may_settle_what_an_earlier_one_left_in_doubt() -> None:
    wix, external = (
        [CatalogueItem("1", "S1", "Tea"), CatalogueItem("2", "S1", "Mug")],
        [CatalogueItem("8", "S1", "mug")],
    )
    assert pairs(wix, external) == [("2", "8", "name")]


def test_catalogue_of_wix_is_read_by_product_without_variants(
    tmp_path: Path,
) -> None:
    """The catalogue of Wix is read without variants and with the product's own id."""
    file = tmp_path / "wix.csv"
    file.write_text(
        f"handleId,fieldType,name,sku\nproduct_{PRODUCT},Product,Tea,S1\nproduct_{PRODUCT},Variant,,S2\n"
    )
    assert read_catalogue(file) == [CatalogueItem(PRODUCT, "S1", "Tea")]


def test_catalogue_without_a_known_id_column_is_refused_with_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("Nummer,Name\n1,Tee\n")
    with pytest.raises(BadFile, match="no column holds the id; the columns are: Nummer, Name"):
        read_catalogue(file)
    assert read_catalogue(file, {"id": "Nummer"}) == [CatalogueItem("1", "", "Tee")]


def test_one_contact_is_certain_and_several_or_none_are_listed() -> None:
    found = {
        "a@x.org": [Contact("c-1", "a@x.org", "Ada")],
        "b@x.org": [Contact("c-2", "b@x.org"), Contact("c-3", "b@x.org")],
        "d@x.org": [Contact("c-1", "d@x.org", "Ada")],
    }
    proposal = propose_contacts(["a@x.org", "b@x.org", "none@x.org", "d@x.org", "a@x.org"], found)
    assert [(one.contact_id, one.email) for one in proposal.certain] == [
        ("c-1", "a@x.org"),
        ("c-1", "d@x.org"),
    ]
    reasons = [
        (email, contact.contact_id if contact else None) for email, contact, _ in proposal.doubtful
    ]
    assert reasons == [
        ("b@x.org", "c-2"),
        ("b@x.org", "c-3"),
        ("none@x.org", None),
        ("d@x.org", "c-1"),
    ]


def test_mapping_file_may_carry_a_note_for_people(tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    columns = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id,note\n"
    file.write_text(columns + "reviews,stores,a,,1,by sku: Tea\n")
    assert len(read_entities(file).rows) == 1


def test_check_of_fields_prints_every_breach_of_the_law(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    columns = (
        "wix_attribute,external_field,wix_min,wix_max,wix_step,"
        "external_min,external_max,external_step,mapping\n"
    )
    file.write_text(columns + "q,q,0,100,1,4,5,0.01,proportional\n")
    problems = check_fields(file)
    assert len(problems) > 10
    assert all(problem.startswith(f"{file}:2: q: ") for problem in problems)
