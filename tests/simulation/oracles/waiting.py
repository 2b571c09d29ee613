"""How long the ratings of a site waited: for its own side alone, and for no neighbour."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.world import Shop


def waited_for_others(shop: Shop, now: float, most_seconds: float) -> Iterator[str]:
    """Ratings made on Wix that took longer to the other side, or wait already for longer."""
    for name, seconds in _seconds_waited(shop, now):
        if seconds > most_seconds:
            yield f"{shop.site.instance_id} {name}: {seconds:.1f} s, at most {most_seconds:.1f} s"


def _seconds_waited(shop: Shop, now: float) -> Iterator[tuple[str, float]]:
    emails = {person.contact_id: person.email for person in shop.persons}
    things = dict(shop.entities)
    brought_at = {
        (record.entity, record.person.email): shop.external.changed_at[name]
        for name, record in shop.external.records.items()
    }
    for name, record in shop.wix.records.items():
        assert record.entity is not None
        twin = (things[record.entity], emails[record.person.contact_id])
        yield name, brought_at.get(twin, now) - shop.wix.changed_at[name]
