"""Which listed records the engine has to see, by what the ledger knows of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.sweep_values import Mark, OnFile, Whose
from sync_worker.core.values import EntityRef, Person, Policy, Record, RecordState, Side, Site
from sync_worker.core.values.record_identity import identity_shown
from sync_worker.reconcile.marks import mark_of

STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
FIELDS = (FieldMap("overall", "value", STARS, STARS),)
SITE = Site(1, "instance-1", "shop", Policy(), FIELDS, external_source="shop")

FOUR = {"value": Decimal(4)}
PLAIN = Record("r1", FOUR)
NEWER = replace(PLAIN, revision=3)
PENDING = replace(PLAIN, state=RecordState.PENDING)
DELETED = replace(PLAIN, state=RecordState.DELETED)
UNMAPPED = replace(PLAIN, values={"comfort": Decimal(4)})

UNKNOWN = OnFile()
LINKED = OnFile(is_linked=True, values={"overall": Decimal(4)})
LINKED_WITH_FIVE = replace(LINKED, values={"overall": Decimal(5)})
OWNED = replace(
    LINKED,
    whose=Whose(EntityRef("sku"), frozenset({"ada@example.com"})),
    identity=identity_shown(EntityRef("sku"), "ada@example.com", None),
)
HERS = replace(PLAIN, entity=EntityRef("sku"), person=Person(email="Ada@Example.com"))
OURS = replace(HERS, person=Person(email="api@shop.example"))  # shown instead of its person
OWNED_AS_OURS = replace(OWNED, identity=identity_shown(OURS.entity, OURS.person.email, None))
BURIED = OnFile(is_buried=True)

# situation, record as listed, what the ledger knows, its mark
TABLE = [
    ("never seen", PLAIN, UNKNOWN, Mark.OPEN),
    ("never seen, unpublished", PENDING, UNKNOWN, Mark.HIDDEN),
    ("never seen, deleted", DELETED, UNKNOWN, Mark.IN_STEP),
    ("deleted, older news of it on its way", DELETED, OnFile(is_awaited=True), Mark.OPEN),
    ("no attribute mapped", UNMAPPED, UNKNOWN, Mark.IN_STEP),
    ("a newer record of the person stands for it", PLAIN, OnFile(is_shadowed=True), Mark.IN_STEP),
    ("linked, the same value", PLAIN, LINKED, Mark.IN_STEP),
    ("linked, another value", PLAIN, LINKED_WITH_FIVE, Mark.OPEN),
    ("linked, withdrawn since", PENDING, LINKED, Mark.OPEN),
    ("linked, deleted since", DELETED, LINKED, Mark.OPEN),
    (
        "linked and withdrawn, another value",
        PENDING,
        replace(LINKED_WITH_FIVE, state=RecordState.PENDING),
        Mark.IN_STEP,
    ),
    ("linked, a revision above", NEWER, replace(LINKED, revision=2), Mark.OPEN),
    ("linked, the seen revision", NEWER, replace(LINKED_WITH_FIVE, revision=3), Mark.IN_STEP),
    ("linked, a listing that lags", NEWER, replace(LINKED_WITH_FIVE, revision=4), Mark.IN_STEP),
    ("linked, as it was, address written differently", HERS, OWNED, Mark.IN_STEP),
    ("linked, names nobody and nothing", PLAIN, OWNED, Mark.IN_STEP),
    (
        "linked, made anonymous",
        replace(HERS, person=Person(email="deleted@site.invalid")),
        OWNED,
        Mark.IN_STEP,
    ),
    (
        "linked, given to another person",
        replace(HERS, person=Person(email="bob@example.com")),
        OWNED,
        Mark.OPEN,
    ),
    ("linked, shows somebody else as before", OURS, OWNED_AS_OURS, Mark.IN_STEP),
    ("linked, nobody has seen whom it showed", OURS, replace(OWNED, identity=None), Mark.IN_STEP),
    ("linked, masked", replace(HERS, person=Person(email="b**@example.com")), OWNED, Mark.IN_STEP),
    (
        "linked, shows its own person now",
        HERS,
        OWNED_AS_OURS,
        Mark.IN_STEP,
    ),
    ("linked, put under another thing", replace(HERS, entity=EntityRef("b")), OWNED, Mark.OPEN),
    (
        "moved at a revision seen before",
        replace(HERS, entity=EntityRef("b"), revision=2),
        replace(OWNED, revision=3),
        Mark.OPEN,
    ),
    (
        "shadowed, given to another person",
        replace(HERS, person=Person(email="bob@example.com")),
        replace(OWNED, is_linked=False, is_shadowed=True),
        Mark.OPEN,
    ),
    ("linked, all attributes unmapped since", UNMAPPED, LINKED, Mark.OPEN),
    ("buried, shown without a revision", PLAIN, BURIED, Mark.OPEN),
    ("buried, a revision above", NEWER, replace(BURIED, revision=2), Mark.OPEN),
    ("buried, and alive as it was buried", NEWER, replace(BURIED, revision=3), Mark.OPEN),
    ("buried, a listing that lags", NEWER, replace(BURIED, revision=4), Mark.IN_STEP),
    ("buried, unpublished", PENDING, BURIED, Mark.IN_STEP),
]


@pytest.mark.parametrize(
    ("record", "known", "mark"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_listed_record_has_the_mark_of_its_situation(
    record: Record, known: OnFile, mark: Mark
) -> None:
    """Only what differs from the ledger goes to the engine."""
    assert mark_of(record, Side.EXTERNAL, known, SITE) is mark
