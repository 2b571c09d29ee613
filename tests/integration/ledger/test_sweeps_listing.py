"""The port ``Sweeps``: a page against the ledger, and what a listing did not show."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.sweep_values import Mark, OnFile, RunKind, Sweep, Whose
from sync_worker.core.values import Buried, InboxState, Side
from tests.integration.ledger.ground import SweepGround


def missing_rows(field: SweepGround, count: int) -> Sweep:
    sweep = field.begin()
    field.sweeps.save(sweep, [field.delete_row(number) for number in range(1, count + 1)])
    return sweep


class TestListings:
    @pytest.mark.parametrize("side", list(Side))
    def test_page_is_compared_with_what_both_sides_last_agreed_on(
        self, field: SweepGround, side: Side
    ) -> None:
        field.link(1)
        known = field.sweeps.on_file(field.site, side, [f"{side[0]}1", "unknown"])
        value = Decimal(80) if side is Side.WIX else Decimal(4)
        assert known == {
            f"{side[0]}1": OnFile(is_linked=True, revision=2, values={"overall": value})
        }

    def test_external_record_is_known_with_what_it_rates_and_whose_it_is(
        self, field: SweepGround
    ) -> None:
        """Of the linked one, and of the one behind it; never of a record on Wix."""
        key = field.link(1)
        run = field.ledger.links.lease(field.ledger.links.link_of(key))
        field.ledger.links.commit(run.lease, Commit(shadowed={"e8"}, release=True))
        known = field.sweeps.on_file(field.site, Side.EXTERNAL, ["e1", "e8"])
        contact = field.ledger.directory.contact(field.site.id, contact_id=key.contact_id)
        addresses = frozenset({contact.email} if contact is not None else ())
        assert {name: found.whose for name, found in known.items()} == {
            "e1": Whose(run.entity.external, addresses),
            "e8": Whose(run.entity.external, addresses),
        }
        assert field.sweeps.on_file(field.site, Side.WIX, ["w1"])["w1"].whose is None

    def test_buried_record_is_known_with_its_revision(self, field: SweepGround) -> None:
        field.ledger.directory.bury(field.site.id, Buried(Side.EXTERNAL, "e9", 5))
        assert field.sweeps.on_file(field.site, Side.EXTERNAL, ["e9"]) == {
            "e9": OnFile(is_buried=True, revision=5)
        }

    def test_record_that_a_held_delivery_speaks_of_is_known_as_held(
        self, field: SweepGround
    ) -> None:
        field.ledger.inbox.hold([field.ground.stored(1, remote_id="w9")], "no_email")
        assert field.sweeps.on_file(field.site, Side.WIX, ["w9"]) == {"w9": OnFile(is_held=True)}

    def test_record_that_a_delivery_on_its_way_speaks_of_is_known_as_awaited(
        self, field: SweepGround
    ) -> None:
        number = field.ground.stored(1, remote_id="w9")
        assert field.sweeps.on_file(field.site, Side.WIX, ["w9"]) == {"w9": OnFile(is_awaited=True)}
        field.ledger.inbox.close(number, Closing(InboxState.DONE, "in_step"))
        assert field.sweeps.on_file(field.site, Side.WIX, ["w9"]) == {}

    def test_records_behind_the_synced_one_are_known(self, field: SweepGround) -> None:
        key = field.link(1)
        run = field.ledger.links.lease(field.ledger.links.link_of(key))
        field.ledger.links.commit(run.lease, Commit(shadowed={"e8", "e9"}, release=True))
        known = field.sweeps.on_file(field.site, Side.EXTERNAL, ["e8", "e9", "e7"])
        assert known == {"e8": OnFile(is_shadowed=True), "e9": OnFile(is_shadowed=True)}
        assert field.sweeps.on_file(field.site, Side.WIX, ["e8"]) == {}

    def test_run_knows_which_records_its_listing_showed(self, field: SweepGround) -> None:
        sweep = field.begin()
        field.show(sweep, Side.WIX, 1)
        field.sweeps.save(sweep, [field.open_row(Side.WIX, 2, change="delete", record=None)])
        assert [
            field.sweeps.is_shown(sweep, side, f"{side[0]}1") for side in (Side.WIX, Side.EXTERNAL)
        ] == [True, False]
        assert not field.sweeps.is_shown(sweep, Side.WIX, "w2")

    def test_run_knows_a_page_that_brings_nothing_new(self, field: SweepGround) -> None:
        """Of this side and this run alone."""
        sweep = field.begin()
        field.show(sweep, Side.WIX, 1)
        field.show(sweep, Side.WIX, 2)
        assert field.sweeps.has_shown_all(sweep, Side.WIX, ["w2", "w1", "w2"])
        assert not field.sweeps.has_shown_all(sweep, Side.WIX, ["w1", "w3"])
        assert not field.sweeps.has_shown_all(sweep, Side.EXTERNAL, ["w1"])

    def test_record_is_due_only_when_two_complete_listings_did_not_show_it(
        self, field: SweepGround
    ) -> None:
        for number in (1, 2, 3):
            field.link(number)
        first = field.begin()
        field.show(first, Side.WIX, 1, 2)
        assert (found := field.sweeps.note_absences(first, Side.WIX)).missing == 1
        assert found.due == 0
        field.sweeps.end(first)
        second = field.begin()
        field.show(second, Side.WIX, 1, 2)
        assert field.sweeps.note_absences(second, Side.WIX).due == 1
        assert [row.remote_id for row in field.sweeps.next_missing(second, 10)] == ["w3"]

    def test_record_is_due_at_once_where_nobody_told_of_deletions(self, field: SweepGround) -> None:
        """In the first sweep after that, of links at which nothing has happened since."""
        for number in range(1, 6):
            field.link(number)
        field.sweeps.end(field.begin())
        field.come_back()
        field.note_history(5)
        for kind, due in (
            (RunKind.DRY_RUN, [("w4", Mark.UNTOLD)]),
            (RunKind.SWEEP, [("w4", Mark.UNTOLD)]),
            (RunKind.SWEEP, [("w4", Mark.MISSING), ("w5", Mark.MISSING)]),
        ):
            assert field.unseen(Side.WIX, [1, 2, 3], kind) == (2, due)

    def test_sweep_from_before_the_return_takes_nothing_for_untold(
        self, field: SweepGround
    ) -> None:
        """Its listing may be from before the last that was told."""
        for number in (1, 2):
            field.link(number)
        field.sweeps.end(field.begin())
        sweep = field.begin()
        field.come_back()
        field.show(sweep, Side.EXTERNAL, 1)
        assert field.sweeps.note_absences(sweep, Side.EXTERNAL).due == 0

    def test_record_that_is_listed_again_begins_anew(self, field: SweepGround) -> None:
        for number in (1, 2, 3):
            field.link(number)
        for shown in ((1, 2), (1, 2, 3), (1, 2)):
            sweep = field.begin()
            field.show(sweep, Side.EXTERNAL, *shown)
            found = field.sweeps.note_absences(sweep, Side.EXTERNAL)
            field.sweeps.end(sweep)
        assert (found.missing, found.due) == (1, 0)

    def test_listing_of_under_half_of_what_is_known_makes_nothing_missing(
        self, field: SweepGround
    ) -> None:
        for number in (1, 2, 3):
            field.link(number)
        for _ in range(3):
            sweep = field.begin()
            field.show(sweep, Side.WIX, 1)
            found = field.sweeps.note_absences(sweep, Side.WIX)
            field.sweeps.end(sweep)
        assert found.is_refused
        assert found.due == 0

    def test_dry_run_notes_no_absence(self, field: SweepGround) -> None:
        for number in (1, 2, 3):
            field.link(number)
        for _ in range(2):
            sweep = field.begin(RunKind.DRY_RUN)
            field.show(sweep, Side.WIX, 1, 2)
            found = field.sweeps.note_absences(sweep, Side.WIX)
            field.sweeps.end(sweep)
        assert (found.missing, found.due) == (1, 0)

    def test_twenty_deletes_pass_the_brake(self, field: SweepGround) -> None:
        assert field.sweeps.brake(missing_rows(field, 20), Side.WIX) == 0

    def test_twenty_one_deletes_are_all_held(self, field: SweepGround) -> None:
        sweep = missing_rows(field, 21)
        assert field.sweeps.brake(sweep, Side.WIX) == 21
        assert {
            row.hold for finding in field.sweeps.next_findings(sweep, 50) for row in finding.rows
        } == {"delete_brake"}

    def test_mass_delete_that_a_person_allowed_passes_the_brake(self, field: SweepGround) -> None:
        field.sweeps.allow_deletes(field.site.id, 21)
        assert field.sweeps.brake(missing_rows(field, 21), Side.WIX) == 0
        assert not field.ledger.links.deletes_exceeded(field.site.id, Side.WIX, 20)
        assert field.ledger.links.deletes_exceeded(field.site.id, Side.WIX, 21)
