"""Products as Wix Reviews names them, in maps that were made for Ratings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_worker.core.errors import Held
from sync_worker.core.values import Entity, EntityRef, Policy, Side, UnknownEntity, WixKind
from sync_worker.intake.entities import MappedEntities
from sync_worker.ledger.administration.admin import ledger_admin
from tests.integration.ledger.ground import Ground

PRODUCT = EntityRef("product-new", namespace="stores")


def things(ground: Ground, policy: Policy) -> MappedEntities:
    site = replace(ground.ledger.site(ground.site_id), wix_api=WixKind.REVIEWS, policy=policy)
    return MappedEntities(ground.ledger.directory, site)


def test_product_of_equal_ids_is_mapped_by_its_name_of_ratings(ground: Ground) -> None:
    policy = Policy(unknown_entity=UnknownEntity.SAME_ID, same_id_group="shop")
    found = things(ground, policy).entity_of(PRODUCT, Side.WIX)
    assert isinstance(found, Entity)
    assert found.wix == EntityRef("product-new", "shop", "reviews")
    assert found == things(ground, policy).entity_of(EntityRef("product-new"), Side.EXTERNAL)


def test_product_that_waits_goes_on_when_a_map_names_it_as_ratings_do(ground: Ground) -> None:
    if not hasattr(ground.ledger, "engine"):
        pytest.skip("maps are imported into SQL")
    with pytest.raises(Held) as held:
        things(ground, Policy()).entity_of(PRODUCT, Side.WIX)
    waiting, other = ground.stored(1), ground.stored(2, remote_id="of-another")
    ground.ledger.inbox.hold([waiting], "unknown_entity", hold_key=held.value.hold_key)
    ground.ledger.inbox.hold([other], "unknown_entity", hold_key="entity:wix:stores::product-3")
    pairs = [(EntityRef("product-new", "stores", "reviews"), EntityRef("sku-new"))]
    site = ground.ledger.site(ground.site_id)
    done = ledger_admin(ground.ledger.engine).mappings.import_entities(site, pairs)
    assert list(done.released) == [waiting]
