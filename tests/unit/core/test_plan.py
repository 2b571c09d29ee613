"""The planner's full truth table, and the laws that hold over all of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from sync_worker.core.plan import Action, Agree, Delete, Hold, Ignore, InStep, Write, plan
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import (
    Base,
    Conflict,
    Deletes,
    Direction,
    EditOrDelete,
    FirstDifference,
    Policy,
    Side,
    Snapshot,
)
from sync_worker.core.values.texts import WORDS_VERSION, TextRule, WordsField

STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
SAME_SCALES = FieldMap("overall", "value", STARS, STARS)
FINE = FieldMap("overall", "value", Scale(Decimal(0), Decimal(100), Decimal(1)), STARS)


def d(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def planned(
    base: tuple[int | None, int | None], wix: int | None, external: int | None, **policy: str
) -> Action:
    return plan(
        SAME_SCALES,
        Base(d(base[0]), d(base[1])),
        Snapshot(d(wix)),
        Snapshot(d(external)),
        Policy.of(policy),
    )


# situation, base (wix, external), wix now, external now, what to do by the default policies
TABLE = [
    ("both absent for ever", (None, None), None, None, InStep()),
    ("new on wix", (None, None), 4, None, Write(Side.EXTERNAL, Decimal(4), "changed")),
    ("new on the external side", (None, None), None, 4, Write(Side.WIX, Decimal(4), "changed")),
    ("new on both, equal", (None, None), 4, 4, Agree()),
    (
        "new on both, different",
        (None, None),
        4,
        2,
        Write(Side.EXTERNAL, Decimal(4), "first_difference_wix"),
    ),
    ("nothing changed", (4, 4), 4, 4, InStep()),
    ("changed on wix", (4, 4), 5, 4, Write(Side.EXTERNAL, Decimal(5), "changed")),
    ("changed on the external side", (4, 4), 4, 5, Write(Side.WIX, Decimal(5), "changed")),
    ("changed on both, equal", (4, 4), 5, 5, Agree()),
    (
        "changed on both, different",
        (4, 4),
        5,
        2,
        Write(Side.EXTERNAL, Decimal(5), "conflict_latest"),
    ),
    ("deleted on wix", (4, 4), None, 4, Delete(Side.EXTERNAL, "changed")),
    ("deleted on the external side", (4, 4), 4, None, Delete(Side.WIX, "changed")),
    ("deleted on both", (4, 4), None, None, Agree()),
    ("deleted on wix, edited outside", (4, 4), None, 5, Write(Side.WIX, Decimal(5), "edit_wins")),
    (
        "edited on wix, deleted outside",
        (4, 4),
        5,
        None,
        Write(Side.EXTERNAL, Decimal(5), "edit_wins"),
    ),
    ("never crossed, unchanged", (4, None), 4, None, InStep()),
    ("never crossed, now new outside", (4, None), 4, 2, Write(Side.WIX, Decimal(2), "changed")),
    ("never crossed, now equal outside", (4, None), 4, 4, Agree()),
    ("never crossed, now deleted", (4, None), None, None, Agree()),
]


@pytest.mark.parametrize(
    ("situation", "base", "wix", "external", "action"), TABLE, ids=[row[0] for row in TABLE]
)
def test_situation_leads_to_action(
    situation: str,
    base: tuple[int | None, int | None],
    wix: int | None,
    external: int | None,
    action: Action,
) -> None:
    assert planned(base, wix, external) == action


VALUES = (None, 2, 4, 5)
POLICIES = [
    Policy(
        first_difference=first,
        conflict=conflict,
        edit_or_delete=edit,
        direction=direction,
        deletes=deletes,
    )
    for first, conflict, edit, direction, deletes in product(
        FirstDifference,
        Conflict,
        EditOrDelete,
        Direction,
        Deletes,
    )
]
HEARD = (None, 1, 2)


SNAPSHOTS = [Snapshot(d(value), heard) for value, heard in product(VALUES, HEARD)] + [
    Snapshot(None, 1, privacy=True)
]
BASES = [Base(d(wix), d(external)) for wix, external in product(VALUES, VALUES)]


def mirrored(action: Action) -> Action:
    match action:
        case Write(side, value, reason):
            return Write(side.other, value, _mirror_word(reason))
        case Delete(side, reason, privacy):
            return Delete(side.other, _mirror_word(reason), privacy)
        case _:
            return action


def _mirror_word(word: str) -> str:
    if word.endswith("_wix"):
        return word.removesuffix("_wix") + "_external"
    return word.removesuffix("_external") + "_wix" if word.endswith("_external") else word


def mirrored_policy(policy: Policy) -> Policy:
    swap = {"wix": "external", "external": "wix", "to_wix": "to_external", "to_external": "to_wix"}
    return Policy.of(
        {
            "first_difference": swap.get(policy.first_difference, policy.first_difference),
            "conflict": swap.get(policy.conflict, policy.conflict),
            "edit_or_delete": policy.edit_or_delete,
            "direction": swap.get(policy.direction, policy.direction),
            "deletes": policy.deletes,
        }
    )


def is_first_of_its_kind(base: Base, wix: Snapshot, external: Snapshot) -> bool:
    """Which numbers stand in a case makes no difference to the plan, only which of them are equal:
    one case stands for all that have other numbers in the same places.
    """
    values = (base.wix, base.external, wix.value, external.value)
    numbers = list(dict.fromkeys(value for value in values if value is not None))
    return numbers == [d(value) for value in VALUES[1:]][: len(numbers)]


def test_plan_is_total_lawful_and_symmetric_over_every_case() -> None:
    mirrored_policies = [(policy, mirrored_policy(policy)) for policy in POLICIES]
    assert {one for _, one in mirrored_policies} == set(POLICIES)
    places = [case for case in product(BASES, SNAPSHOTS, SNAPSHOTS) if is_first_of_its_kind(*case)]
    assert len(places) > 500
    for (base, wix, external), (policy, mirror) in product(places, mirrored_policies):
        action = plan(SAME_SCALES, base, wix, external, policy)
        check_laws(action, base, wix, external, policy)
        is_tie = policy.conflict == "latest" and (
            wix.heard is external.heard or wix.heard == external.heard
        )
        both_privacy = wix.privacy and external.privacy
        if not is_tie and not both_privacy:
            swapped = plan(SAME_SCALES, Base(base.external, base.wix), external, wix, mirror)
            assert swapped == mirrored(action), (base, wix, external, policy)


def check_laws(
    action: Action, base: Base, wix: Snapshot, external: Snapshot, policy: Policy
) -> None:
    changed = (wix.value != base.wix, external.value != base.external)
    case = (base, wix, external, policy)
    match action:
        case InStep():
            assert not any(changed), case
        case Agree():
            assert wix.value == external.value, case
        case Write(side, value, _):
            target, source = (wix, external) if side is Side.WIX else (external, wix)
            assert policy.may_write(side), case
            assert value == source.value != target.value, case
            assert changed[side is Side.WIX], (
                case
            )  # what is carried over has changed on its own side
        case Delete(side, _, privacy):
            target, source = (wix, external) if side is Side.WIX else (external, wix)
            assert source.value is None, case
            assert target.value is not None, case
            assert privacy or (policy.may_write(side) and policy.deletes == "propagate"), case
        case Ignore() | Hold():
            assert any(changed), case


def test_latest_is_the_delivery_that_came_later() -> None:
    base = Base(Decimal(4), Decimal(4))
    early, late = Snapshot(Decimal(5), heard=1), Snapshot(Decimal(2), heard=2)
    assert plan(SAME_SCALES, base, early, late, Policy()) == Write(
        Side.WIX, Decimal(2), "conflict_latest"
    )


def test_delivery_in_hand_beats_a_change_found_by_reading() -> None:
    base = Base(Decimal(4), Decimal(4))
    read, heard = Snapshot(Decimal(5)), Snapshot(Decimal(2), heard=1)
    assert plan(SAME_SCALES, base, read, heard, Policy()) == Write(
        Side.WIX, Decimal(2), "conflict_latest"
    )


@pytest.mark.parametrize("ours", [0, 1])
def test_what_we_may_have_written_loses_to_an_edit(ours: int) -> None:
    sides = [Snapshot(Decimal(5), heard=1), Snapshot(Decimal(2), heard=1)]
    sides[ours] = replace(sides[ours], heard=2, may_be_ours=True)
    target, value = (Side.EXTERNAL, Decimal(5)) if ours else (Side.WIX, Decimal(2))
    wix, external = sides
    planned = plan(SAME_SCALES, Base(Decimal(4), Decimal(4)), wix, external, Policy())
    assert planned == Write(target, value, "conflict_latest")


def test_fine_edit_inside_its_class_writes_nothing() -> None:
    base = Base(Decimal(80), Decimal(4))
    assert plan(FINE, base, Snapshot(Decimal(85)), Snapshot(Decimal(4)), Policy()) == Agree()


def test_coarse_edit_crosses_as_the_representative_of_its_class() -> None:
    base = Base(Decimal(85), Decimal(4))
    assert plan(FINE, base, Snapshot(Decimal(85)), Snapshot(Decimal(2)), Policy()) == Write(
        Side.WIX, Decimal(40), "changed"
    )


def test_privacy_deletion_wins_over_an_edit_and_over_every_policy() -> None:
    base = Base(Decimal(4), Decimal(4))
    gone, edited = Snapshot(None, heard=1, privacy=True), Snapshot(Decimal(5), heard=2)
    policy = Policy(
        deletes=Deletes.IGNORE, direction=Direction.TO_WIX, edit_or_delete=EditOrDelete.EDIT
    )
    assert plan(SAME_SCALES, base, gone, edited, policy) == Delete(
        Side.EXTERNAL, "privacy", privacy=True
    )


def test_value_that_is_not_on_its_scale_is_held() -> None:
    assert plan(SAME_SCALES, Base(), Snapshot(None), Snapshot(Decimal(7)), Policy()) == Hold(
        "off_scale"
    )


BODY = WordsField("body", TextRule(max_length=20), TextRule(is_html=True))


def planned_words(
    base: tuple[str | None, str | None], wix: str | None, external: str | None, **policy: str
) -> Action:
    return plan(
        BODY, Base(*base, WORDS_VERSION), Snapshot(wix), Snapshot(external), Policy.of(policy)
    )


# situation, base (wix, external), wix now, external now, what to do by the default policies
WORDS_TABLE = [
    ("nothing said", (None, None), None, None, InStep()),
    ("nothing said, and empty fields", (None, None), "", "", Agree()),
    (
        "said on wix, empty outside",
        (None, None),
        "Fine",
        "",
        Write(Side.EXTERNAL, "Fine", "changed"),
    ),
    (
        "said outside, empty on wix",
        (None, None),
        "",
        "<p>a&amp;b</p>",
        Write(Side.WIX, "a&b", "changed"),
    ),
    ("said on both, in other bytes", (None, None), "a & b", "<p>a &amp; b</p>\n", Agree()),
    ("nothing changed", ("Fine", "Fine"), "Fine", "Fine", InStep()),
    ("only bytes changed", ("Fine", "Fine"), "Fine ", "<p>Fine</p>", Agree()),
    ("emptied on wix", ("Fine", "Fine"), "", "Fine", Write(Side.EXTERNAL, "", "changed")),
    ("too long for wix", ("", ""), "", "x" * 21, Hold("too_long")),
    (
        "changed on both",
        ("Fine", "Fine"),
        "Good",
        "Bad",
        Write(Side.EXTERNAL, "Good", "conflict_latest"),
    ),
]


@pytest.mark.parametrize(
    ("situation", "base", "wix", "external", "expected"),
    WORDS_TABLE,
    ids=[r[0] for r in WORDS_TABLE],
)
def test_words_go_by_the_same_table(
    situation: str,
    base: tuple[str | None, str | None],
    wix: str | None,
    external: str | None,
    expected: Action,
) -> None:
    assert planned_words(base, wix, external) == expected


def test_words_edited_here_keep_stars_deleted_there_alive() -> None:
    """Deleted on one side, edited on the other: also where only the words were edited."""

    def of_stars(**policy: str) -> Action:
        base, four = Base(Decimal(4), Decimal(4)), Snapshot(Decimal(4))
        edited = {Side.EXTERNAL}
        return plan(SAME_SCALES, base, Snapshot(None), four, Policy.of(policy), edited)

    assert of_stars() == Write(Side.WIX, Decimal(4), "edit_wins")
    assert of_stars(edit_or_delete="delete") == Delete(Side.EXTERNAL, "delete_wins")
