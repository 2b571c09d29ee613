"""What a run makes of deliveries that were held before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync_worker.core.values import Delivery


@dataclass(slots=True)
class Holds:
    """What was held of a link as its run began.

    ``is_frozen``: a person has to release the link, the run may only look. ``before``: deliveries
    taken up to look again; ``standing_by``: those that only a person releases.
    """

    is_frozen: bool = False
    before: list[Delivery] = field(default_factory=list)
    standing_by: list[Delivery] = field(default_factory=list)

    def note(self, delivery: Delivery) -> bool:
        """Remember a delivery that was held; whether it is held still."""
        if delivery.was_held:
            self.before.append(delivery)
        if delivery.stands_by:
            self.standing_by.append(delivery)
        return delivery.stands_by
