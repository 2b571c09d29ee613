"""The values that everything else speaks in: frozen, without I/O, in the words of the glossary."""

from sync_worker.core.values.deliveries import (
    Buried,
    Delivery,
    InboxState,
    NewDelivery,
)
from sync_worker.core.values.links import (
    Base,
    HistoryEntry,
    Intent,
    IntentState,
    Known,
    Lease,
    Link,
    LinkState,
    Operation,
    Slot,
    Snapshot,
)
from sync_worker.core.values.people import (
    Contact,
    Merge,
    MergeDistance,
)
from sync_worker.core.values.records import (
    Draft,
    EntityRef,
    Person,
    Record,
    RecordState,
    Side,
)
from sync_worker.core.values.sites import (
    Entity,
    Policy,
    RatingKey,
    Site,
)

__all__ = [
    "Base",
    "Buried",
    "Contact",
    "Delivery",
    "Draft",
    "Entity",
    "EntityRef",
    "HistoryEntry",
    "InboxState",
    "Intent",
    "IntentState",
    "Known",
    "Lease",
    "Link",
    "LinkState",
    "Merge",
    "MergeDistance",
    "NewDelivery",
    "Operation",
    "Person",
    "Policy",
    "RatingKey",
    "Record",
    "RecordState",
    "Side",
    "Site",
    "Slot",
    "Snapshot",
]
