"""A rating as it is on file, for a person who decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync_worker.core.hold_reasons import STOPPED
from sync_worker.core.ports.decisions import RatingOnFile
from sync_worker.core.values import LinkState
from sync_worker.core.values.decisions import Shown
from sync_worker.engine.record_view import MAIN_FIELD


@dataclass(frozen=True, slots=True)
class RatingShown:
    """``rating``: the number of its link. ``version``: to be given back with a decision.

    ``shown``: both sides by attribute, as the ledger last knew them; ``main``: the attribute of its
    stars. ``deciding``: the delivery of a decision that is on its way; ``held``: why deliveries of
    it are held, by number. ``email``, ``name``: only for who may see them.
    """

    rating: int
    site: int
    state: LinkState
    version: int
    wix_entity: str
    external_entity: str
    contact: str | None
    email: str | None
    name: str | None
    main: str | None
    shown: Mapping[str, Shown]
    deciding: int | None
    is_stopped: bool
    is_erased: bool
    held: Mapping[int, str]


def rating_shown(rating: RatingOnFile, *, with_address: bool) -> RatingShown:
    """``with_address``: also whose it is."""
    contact, entity = rating.contact, rating.entity
    fields = {one.external_field: one.attribute for one in rating.site.fields}
    # An erased link is nobody's.
    if rating.is_erased:
        contact = None
    return RatingShown(
        rating=rating.link_id,
        site=rating.site.id,
        state=rating.state,
        version=rating.version,
        wix_entity=entity.wix.entity_id,
        external_entity=entity.external.entity_id,
        contact=None if contact is None else contact.contact_id,
        email=contact.email if contact is not None and with_address else None,
        name=contact.name if contact is not None and with_address else None,
        main=fields.get(MAIN_FIELD),
        shown=rating.shown,
        deciding=rating.deciding,
        is_stopped=STOPPED in rating.held.values(),
        is_erased=rating.is_erased,
        held=rating.held,
    )
