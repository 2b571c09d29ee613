"""Two sites with everything that pages show, so that tests can exchange their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import insert

from sync_worker.core.record_codec import record_as_json
from sync_worker.core.values import EntityRef, Record, Side
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.imports import ImportRuns
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.values import ImportPlan, NewRow, RowEnd
from sync_worker.ledger.tables import contact_map, history, link, link_value
from sync_worker.services.access.who import COMMAND, Role
from tests.integration.console.ground import Ground
from tests.integration.console.held_shop import HeldShop

MARK = "bumblebee"  # stands in each text of the other site
NOW = 1_800_000_000.0


# Arguments that are words of ours, and of no site.
WORDS = {"reason": "unknown_contact", "key": "other-service"}


@dataclass(frozen=True)
class TwoSites:
    """``other``: ids of the other site, by the names that routes give their arguments."""

    mine: int
    other: Mapping[str, object]


def two_sites(ground: Ground) -> TwoSites:
    """Site 1 is mine, site 2 is full of what I must not see."""
    shop = HeldShop(ground.admin)
    shop.hold("unknown_contact", address="ada@example.com")
    held = shop.hold(
        "unknown_contact",
        MARK,
        f"{MARK}@example.com",
        name=MARK,
        words=f"words of {MARK}",
        source="other-service",
    )
    shop.wait("remote_away", source="other-service")
    rated = EntityRef(f"wix-{MARK}", "stores", "reviews")
    shop.ledger.directory.add_entity(2, rated, EntityRef(f"sku-{MARK}"))
    link_id, history_id = _linked(ground)
    audit = SqlAudit(ground.parts.transactions)
    audit.add(MARK, "site.pause", site_id=2, why=f"because of {MARK}")
    ground.parts.access.people.invite(COMMAND, MARK, Role.SUPPORT)
    ids = {
        "run_id": ImportRuns(ground.admin.engine).begin(2),
        "import_id": _sent(ground),
        "site_id": 2,
        "link_id": link_id,
        "history_id": history_id,
        "inbox_id": held,
        "delivery_id": held,
        "entity_id": 1,
        "proposal_id": 1,
        "number": held,
        "name": MARK,
        "reason": MARK,
        "key": "0" * 16,
    }
    return TwoSites(1, ids)


def _sent(ground: Ground) -> int:
    """The id of a file of ratings that somebody has sent for the other site."""
    files = SqlImportFiles(ground.parts.transactions)
    form: dict[str, object] = {"format": {}, "places": None}
    shape = {"is_jsonl": False, "header": ["a"], "delimiter": ",", "has_mark": False}
    import_id = files.begin(2, f"{MARK}.csv", MARK, ImportPlan(form, shape))
    end = RowEnd(2, "rejected", MARK, f"words of {MARK}")
    files.add_rows(import_id, 2, [NewRow(2, f'["{MARK}"]', "", f"{MARK}@example.com", end)])
    return files.is_there(import_id).id


def _linked(ground: Ground) -> tuple[int, int]:
    """Ids of a link of the other site, and of a line of its history."""
    record = record_as_json(Record(f"review-{MARK}", {"value": Decimal(4)}))
    people = {
        "site_id": 2,
        "wix_contact_id": f"contact-{MARK}",
        "email": f"{MARK}@example.com",
        "name": MARK,
    }
    known = {
        "site_id": 2,
        "entity_id": 1,
        "contact_id": f"contact-{MARK}",
        "external_id": f"review-{MARK}",
        "external_record": record,
        "external_state": "published",
    }
    written = {"site_id": 2, "at": NOW, "what": "create", "side": str(Side.WIX)}
    written |= {"attribute": "overall", "reason": f"words of {MARK}", "remote_id": f"wix-{MARK}"}
    with ground.parts.transactions.write() as connection:
        connection.execute(insert(contact_map).values(people))
        made = connection.execute(insert(link).values(known).returning(link.c.id)).scalar_one()
        value = {
            "site_id": 2,
            "link_id": made,
            "attribute": "overall",
            "wix_id": f"rating-{MARK}"[:64],
        }
        value |= {"wix_state": "published", "base_wix": "80", "base_external": "4"}
        connection.execute(insert(link_value).values(value))
        line = insert(history).values({**written, "link_id": made}).returning(history.c.id)
        told = connection.execute(line).scalar_one()
    return int(made), int(told)
