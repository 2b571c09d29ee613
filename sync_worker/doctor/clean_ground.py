"""Whether test records can be made without a trace: deleted there, and never carried to Wix."""

from __future__ import annotations

from collections.abc import Sequence

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Entity, Site
from sync_worker.core.values.sites import SiteState, UnknownContact, UnknownEntity
from sync_worker.manifest.manifest import Manifest


def refuse_what_stays(manifest: Manifest) -> None:
    """Test records are deleted at the end. Raises Misconfigured where they would stay."""
    operations, needs = manifest.operations, "conformance --allow-writes needs a real delete"
    if manifest.plugin is not None:
        return  # what a plugin can do, it says itself
    if operations.delete is None:
        raise Misconfigured(
            f"{manifest.id} declares no operations.delete, so its test records would stay; {needs}"
        )
    if operations.delete_means in ("hide", "unsupported"):
        raise Misconfigured(
            f"{manifest.id} hides what it deletes (operations.delete_means), so its test records"
            f" would stay, hidden; {needs}"
        )


def refuse_what_crosses(site: Site, entities: Sequence[Entity], product: str) -> None:
    """A test rating of this product must reach no live Wix site. Raises Misconfigured."""
    if site.state is SiteState.REMOVED:
        return
    mapped = next((one for one in entities if one.external.entity_id == product), None)
    if mapped is not None:
        raise Misconfigured(
            f"product {product} is mapped to {mapped.wix.entity_id} on site {site.id}: the test"
            " rating would reach its customers; name a product that is mapped to nothing"
        )
    policy = site.policy
    if policy.unknown_entity is not UnknownEntity.SAME_ID:
        return
    contact = ""
    if policy.unknown_contact is UnknownContact.CREATE:
        contact = ", and a contact would stay there (unknown_contact=create)"
    raise Misconfigured(
        f"site {site.id} maps every product by its id (unknown_entity=same_id): the test rating"
        f" would reach its customers{contact}; for the time of the test:"
        " `ratings-sync site policy unknown_entity=hold`"
    )
