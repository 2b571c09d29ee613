"""The port ``Sweeps``: findings by key, and on their way into the inbox."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.sweep_values import Finding, Mark, place_of
from sync_worker.core.values import InboxState, Side, Slot
from tests.factories import a_record
from tests.integration.ledger.ground import ADA, SweepGround, as_delivery


class TestFindings:
    def test_findings_come_by_key_and_those_without_a_key_first(
        self,
        field: SweepGround,
    ) -> None:
        """Findings come by key with their hidden rows and those without a key first."""
        sweep = field.begin()
        hidden = field.open_row(Side.EXTERNAL, mark=Mark.HIDDEN)
        nobody = field.open_row(Side.EXTERNAL, 7, key=None)
        alone = field.open_row(
            Side.EXTERNAL, 8, mark=Mark.HIDDEN, key=replace(field.ground.key, contact_id="someone")
        )
        field.sweeps.save(sweep, [field.open_row(Side.WIX), hidden, nobody, alone])
        found = field.sweeps.next_findings(sweep, 10)
        assert [(one.key, [row.remote_id for row in one.rows]) for one in found] == [
            (None, ["e7"]),
            (field.ground.key, ["e1", "w1"]),
        ]
        assert found[1].rows[1].record == a_record(Side.WIX)

    def test_findings_can_be_read_on_from_a_place(self, field: SweepGround) -> None:

        sweep = field.begin()
        keys = [replace(field.ground.key, contact_id=f"contact-{number}") for number in range(4)]
        field.sweeps.save(
            sweep, [field.open_row(Side.WIX, number, key=key) for number, key in enumerate(keys)]
        )
        field.sweeps.save(
            sweep, [field.open_row(Side.EXTERNAL, number, key=None) for number in (5, 6)]
        )
        seen: list[Finding] = []
        after = None
        while found := field.sweeps.next_findings(sweep, 1, after):
            seen += found
            after = place_of(found[-1])
        assert [one.key for one in seen] == [None, None, *keys]

    def test_queued_finding_is_a_delivery_of_its_link_and_is_not_found_again(
        self, field: SweepGround
    ) -> None:
        sweep, row = field.begin(), field.open_row(Side.WIX, must_read=True)
        field.sweeps.save(sweep, [row])
        (queued,) = field.sweeps.queue(
            sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])]
        )
        run = field.ledger.links.lease(queued.link_id)
        assert [(one.id, one.must_read) for one in run.deliveries] == [(queued.inbox_ids[0], True)]
        assert field.sweeps.next_findings(sweep, 10) == []
        assert field.ledger.inbox.due(10) == []

    def test_record_is_kept_once_when_it_has_been_handed_over(self, field: SweepGround) -> None:
        """In the inbox, where a privacy request finds it; the listing knows that it is done."""
        sweep, row = field.begin(), field.open_row(Side.WIX)
        field.sweeps.save(sweep, [row])
        field.sweeps.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
        assert field.sweeps.count_marks(sweep) == {Mark.DONE: 1}
        field.sweeps.settle_missing(sweep, [row], [])
        assert [one.rows[0].record for one in field.sweeps.next_findings(sweep, 10)] == [None]

    def test_same_news_is_queued_once_and_opened_again_if_it_had_ended(
        self, field: SweepGround
    ) -> None:
        sweep, row = field.begin(), field.open_row(Side.WIX)
        finding = (Finding(field.ground.key, (row,)), [as_delivery(row)])
        field.sweeps.save(sweep, [row])
        (first,) = field.sweeps.queue(sweep, [finding])
        field.ledger.inbox.close(first.inbox_ids[0], Closing(InboxState.DONE))
        (again,) = field.sweeps.queue(sweep, [finding])
        assert again.inbox_ids == first.inbox_ids
        opened, _ = field.ledger.inbox.open_delivery(first.inbox_ids[0])
        assert opened.must_read

    def test_news_that_waits_for_a_person_goes_on_waiting(self, field: SweepGround) -> None:
        sweep, row = field.begin(), field.open_row(Side.WIX)
        finding = (Finding(field.ground.key, (row,)), [as_delivery(row)])
        field.sweeps.save(sweep, [row])
        (first,) = field.sweeps.queue(sweep, [finding])
        field.ledger.inbox.hold(first.inbox_ids, "delete_brake")
        (again,) = field.sweeps.queue(sweep, [finding])
        assert (again.held, again.inbox_ids) == ("delete_brake", ())

    def test_held_news_that_may_have_outlived_its_cause_is_looked_at_again(
        self, field: SweepGround
    ) -> None:
        """The run of its link takes it up; what a plan promised for it is done, or held anew."""
        sweep, row = field.begin(), field.open_row(Side.WIX)
        finding = (Finding(field.ground.key, (row,)), [as_delivery(row)])
        field.sweeps.save(sweep, [row])
        (first,) = field.sweeps.queue(sweep, [finding])
        field.ledger.inbox.hold(first.inbox_ids, "moderated")
        (again,) = field.sweeps.queue(sweep, [finding])
        assert (again.held, again.inbox_ids) == ("", first.inbox_ids)
        run = field.ledger.links.lease(again.link_id)
        assert [(one.must_read, one.was_held) for one in run.deliveries] == [(True, True)]

    def test_what_only_a_person_releases_is_seen_by_a_run_and_stays_held(
        self, field: SweepGround
    ) -> None:
        run = field.ground.leased(1)
        field.ledger.inbox.hold([run.deliveries[0].id], "worker_died")
        field.ledger.links.release(run.lease)
        again = field.ledger.links.lease(run.lease.link_id)
        assert [one.stands_by for one in again.deliveries] == [True]
        assert field.ledger.held_reasons() == ["worker_died"]

    def test_delivery_held_without_a_key_gets_it_when_a_sweep_knows_it(
        self, field: SweepGround
    ) -> None:
        held = field.ground.stored(1, remote_id="w1")
        field.ledger.inbox.hold([held], "no_email")
        sweep, row = field.begin(), field.open_row(Side.WIX)
        field.sweeps.save(sweep, [row])
        (queued,) = field.sweeps.queue(
            sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])]
        )
        deliveries = field.ledger.links.lease(queued.link_id).deliveries
        assert {one.id for one in deliveries} == {held, *queued.inbox_ids}

    def test_braked_finding_is_held_at_once(self, field: SweepGround) -> None:
        sweep, row = (
            field.begin(),
            field.open_row(Side.WIX, hold="delete_brake", change="delete", record=None),
        )
        field.sweeps.save(sweep, [row])
        (queued,) = field.sweeps.queue(
            sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])]
        )
        assert queued.held == "delete_brake"
        assert field.ledger.inbox.due(10) == []

    def test_peek_shows_what_a_lease_would_give_and_takes_nothing(self, field: SweepGround) -> None:
        key = field.link(1)
        peeked = field.sweeps.peek(key)
        assert set(peeked.link.records) == {Slot(Side.WIX, "overall"), Slot(Side.EXTERNAL)}
        leased = field.ledger.links.lease(peeked.link.id)
        assert leased is not None
        assert (leased.link, leased.contact, leased.entity) == (
            peeked.link,
            peeked.contact,
            peeked.entity,
        )

    def test_peek_at_a_key_without_a_link_makes_none(self, field: SweepGround) -> None:
        peeked = field.sweeps.peek(field.ground.key)
        assert (peeked.link.records, peeked.contact.email) == ({}, ADA.email)
        assert field.sweeps.peek(field.ground.key).link.id == 0
