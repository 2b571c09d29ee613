"""The port ``Sweeps`` at a privacy request: no listing brings back who was erased."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.sweep_values import Finding
from sync_worker.core.values import Contact, Person, Side
from tests.factories import a_record
from tests.integration.ledger.ground import ADA, SweepGround, as_delivery


class TestErasureUnderWay:
    def test_finding_of_a_contact_that_was_erased_since_makes_no_link(
        self, field: SweepGround
    ) -> None:
        """The delivery finds that out as any other does; a link would keep the contact's id for
        ever.
        """
        sweep, row = field.begin(), field.open_row(Side.WIX)
        field.sweeps.save(sweep, [row])
        field.ledger.merges.hint_erasure(field.site.id, field.ground.key.contact_id, 99)
        (queued,) = field.sweeps.queue(
            sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])]
        )
        assert (queued.link_id, len(queued.inbox_ids)) == (None, 1)
        assert field.ledger.merges.links_of(field.site.id, field.ground.key.contact_id) == []

    def test_erased_rating_is_forgotten_by_the_sweep_that_has_listed_it(
        self, field: SweepGround
    ) -> None:
        key, other = field.link(1), field.link(2)
        sweep = field.begin()
        mine, nobody = (
            field.open_row(Side.WIX, 1, key=key),
            field.open_row(Side.EXTERNAL, 1, key=None),
        )
        rows = [mine, nobody, field.open_row(Side.WIX, 2, key=other)]
        field.sweeps.save(sweep, rows)
        told = replace(as_delivery(mine), payload={"listed": {"person": "somebody"}})
        (queued,) = field.sweeps.queue(sweep, [(Finding(key, (mine,)), [told])])
        field.erase(key, 1)
        assert [
            row.remote_id for one in field.sweeps.next_findings(sweep, 10) for row in one.rows
        ] == ["w2"]
        assert not field.sweeps.is_shown(sweep, Side.WIX, "w1")
        left = field.ledger.everything()
        assert "somebody" not in left
        assert queued.inbox_ids
        field.sweeps.end(sweep)

    def test_erased_person_is_in_no_listing_of_a_sweep_under_way(self, field: SweepGround) -> None:
        sweep = field.begin()
        theirs = replace(
            a_record(Side.EXTERNAL, 1),
            person=Person(email="Gone@Example.com", name="G"),
            raw={"mail": "gone@example.com"},
        )
        ours = replace(a_record(Side.EXTERNAL, 2), person=Person(email=ADA.email))
        field.sweeps.save(
            sweep,
            [
                field.open_row(Side.EXTERNAL, 1, key=None, record=theirs),
                field.open_row(Side.EXTERNAL, 2, record=ours),
            ],
        )
        field.ledger.directory.save_contact(
            field.site.id, Contact("contact-gone", "gone@example.com")
        )
        field.ledger.merges.erase_contact(
            field.site.id, "contact-gone", field.ground.stored(9, remote_id="contact-gone")
        )
        assert [
            row.remote_id for one in field.sweeps.next_findings(sweep, 10) for row in one.rows
        ] == ["e2"]

    def test_page_on_its_way_while_a_person_is_erased_brings_nothing_back(
        self,
        field: SweepGround,
    ) -> None:
        """A page that was on its way while a person was erased brings nothing back.

        By the contact, by the address where no key is known yet, and by the rating's id.
        """
        sweep = field.begin()
        key = field.link(1)
        field.erase(key, 1)
        field.ledger.directory.save_contact(
            field.site.id, Contact("contact-gone", "gone@example.com")
        )
        asked = field.ground.stored(
            9, remote_id="contact-gone", change="contact_deleted", privacy=True
        )
        field.ledger.merges.hint_erasure(field.site.id, "contact-gone", asked)
        field.ledger.merges.erase_contact(field.site.id, "contact-gone", asked)
        gone = replace(key, contact_id="contact-gone")
        mail = Person(email="Gone@Example.com")
        page = [
            field.open_row(Side.WIX, 1),
            field.open_row(Side.WIX, 2, key=gone),
            field.open_row(
                Side.WIX,
                3,
                key=None,
                record=replace(a_record(Side.WIX, 3), person=Person(contact_id="contact-gone")),
            ),
            field.open_row(
                Side.EXTERNAL,
                4,
                key=None,
                record=replace(a_record(Side.EXTERNAL, 4), person=mail, raw={"mail": mail.email}),
            ),
            field.open_row(
                Side.EXTERNAL,
                5,
                key=None,
                record=replace(a_record(Side.EXTERNAL, 5), person=Person(email=ADA.email)),
            ),
        ]
        field.sweeps.save(sweep, page)
        rows = [row for one in field.sweeps.next_findings(sweep, 10) for row in one.rows]
        assert [(row.remote_id, row.record is None, row.must_read) for row in rows] == [
            ("e4", True, True),  # the address may be a new contact's: it is read again
            ("e5", False, page[4].must_read),
        ]
        assert "gone@example.com" not in field.ledger.everything().lower()
