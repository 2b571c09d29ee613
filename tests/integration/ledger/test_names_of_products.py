"""Products as Wix Reviews names them, in maps that were made for Ratings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_worker.core.errors import Held, Misconfigured, Permanent
from sync_worker.core.values import (
    Entity,
    EntityRef,
    Policy,
    Side,
    Site,
    SiteState,
    UnknownEntity,
    WixKind,
)
from sync_worker.intake.entities import MappedEntities
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.mappings import ImportRefused
from sync_worker.ledger.administration.wix_change import refuse_unsettled
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


SHOWN = EntityRef("mug", "stores", "reviews")
ELSEWHERE = EntityRef("mug", "rooms", "bookings")
E_1, E_2 = EntityRef("sku-11"), EntityRef("sku-12")


def admin_of(ground: Ground) -> LedgerAdmin:
    if not hasattr(ground.ledger, "engine"):
        pytest.skip("maps are imported into SQL")
    return ledger_admin(ground.ledger.engine)


def on_reviews(ground: Ground) -> Site:
    site: Site = ground.ledger.site(ground.site_id)
    return replace(site, wix_api=WixKind.REVIEWS)


def test_second_map_of_a_product_is_refused_on_wix_reviews(ground: Ground) -> None:
    """It names a product by its id alone: two maps would be two keys of one product."""
    mappings, site = admin_of(ground).mappings, on_reviews(ground)
    mappings.import_entities(site, [(SHOWN, E_1)])
    fine = (EntityRef("cup", "stores", "reviews"), EntityRef("sku-3"))
    with pytest.raises(ImportRefused) as refused:
        mappings.import_entities(site, [fine, (ELSEWHERE, E_2)])
    assert list(refused.value.problems) == [1]
    said = refused.value.problems[1]
    assert "mug is mapped already, as reviews/stores/mug to sku-11" in said
    assert "by its id alone" in said
    assert "cup" not in {entity.wix.entity_id for entity in mappings.entities(site.id)}
    # The same rows again, and a row that takes the place of the other, are no second map.
    assert mappings.import_entities(site, [(SHOWN, E_1)]).unchanged == 1
    assert mappings.import_entities(site, [(ELSEWHERE, E_1)]).changed == 1


def test_second_map_of_a_product_in_one_file_is_refused(ground: Ground) -> None:
    mappings, site = admin_of(ground).mappings, on_reviews(ground)
    with pytest.raises(ImportRefused) as refused:
        mappings.import_entities(site, [(SHOWN, E_1), (ELSEWHERE, E_2)])
    assert list(refused.value.problems) == [1]
    # Wix Ratings tells the namespace: there they are two things.
    both = [(SHOWN, E_1), (ELSEWHERE, E_2)]
    assert mappings.import_entities(ground.ledger.site(site.id), both).added == 2


def test_equal_id_of_a_product_mapped_to_another_is_refused(ground: Ground) -> None:
    mappings, site = admin_of(ground).mappings, on_reviews(ground)
    mappings.import_entities(site, [(ELSEWHERE, E_1)])
    found = things(ground, Policy(unknown_entity=UnknownEntity.SAME_ID))
    with pytest.raises(Permanent) as refused:
        found.entity_of(EntityRef("mug"), Side.EXTERNAL)
    assert refused.value.reason == "entity_mapped_elsewhere"
    assert [entity.external for entity in mappings.entities(site.id)].count(EntityRef("mug")) == 0


def test_change_to_wix_reviews_is_refused_with_two_maps_of_a_product(ground: Ground) -> None:
    admin, site = admin_of(ground), ground.ledger.site(ground.site_id)
    admin.mappings.import_entities(site, [(SHOWN, E_1), (ELSEWHERE, E_2)])
    with pytest.raises(Misconfigured) as refused:
        refuse_unsettled(site, admin.wix_change.plan(site, WixKind.REVIEWS))
    assert "mug (reviews/stores/mug to sku-11, bookings/rooms/mug to sku-12)" in str(refused.value)
    admin.sites.set_state(site.id, SiteState.PAUSED)
    with pytest.raises(Misconfigured):
        admin.wix_change.change(site.id, WixKind.REVIEWS, [], SiteState.RECOVERY)
    # One row in place of both.
    assert admin.mappings.import_entities(site, [(SHOWN, E_2)]).changed == 1
    changed = admin.wix_change.change(site.id, WixKind.REVIEWS, [], SiteState.RECOVERY)
    assert changed.site.wix_api is WixKind.REVIEWS
