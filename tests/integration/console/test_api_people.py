"""People and comparisons for programs: invited, given roles, put out; looked at and begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from sync_worker.core.sweep_values import RunKind
from sync_worker.ledger.access.tables import one_time_link, sent_form
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.accounts.tables import audit
from sync_worker.ledger.administration.imports import ImportRuns
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.services.access.who import Right
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import Program, program

pytestmark = pytest.mark.full


@dataclass
class Asked:
    """In the place of the workers."""

    looks: list[tuple[int, str]] = field(default_factory=list)

    def dry_run(self, site_id: int, actor: str) -> None:
        self.looks.append((site_id, actor))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def ground(sqlite_url: str, asked: Asked) -> Iterator[Ground]:
    with ground_over(sqlite_url) as made:
        made.parts.__dict__["asking"] = asked
        for number in (1, 2):
            made.admin.sites.add(f"instance-{number}", f"shop-{number}", [])
        yield made


@pytest.fixture
def asker(ground: Ground) -> Program:
    return program(ground)


def test_link_of_an_invitation_is_told_once_and_kept_nowhere(
    ground: Ground, asker: Program
) -> None:
    """Whoever reads the ledger comes in by nothing of it."""
    key = {"Idempotency-Key": "kim"}
    invited = asker.post("/users", {"name": "kim", "role": "support"}, headers=key).json
    link = invited["link"].rpartition("/")[2]
    assert ground.parts.access.links.whose(link) is not None
    again = asker.post("/users", {"name": "kim", "role": "support"}, headers=key).json
    assert (again["user"], again["link"]) == (invited["user"], None)
    with ground.parts.transactions.read() as connection:
        for table in (sent_form, one_time_link, audit):
            rows = connection.execute(select(table)).all()
            assert rows
            assert link not in str(rows), table.name


def test_role_is_changed_as_it_was_seen_and_somebody_is_put_out(
    ground: Ground, asker: Program
) -> None:
    for name, role in (("kim", "support"), ("ada lo", "admin")):
        asker.post("/users", {"name": name, "role": role})
    seen = asker.get("/users").json["users"][0]["version"]
    changed = asker.post("/users/kim/role", {"role": "viewer", "version": seen})
    assert (changed.status_code, changed.json["role"]) == (200, "viewer")
    late = asker.post("/users/kim/role", {"role": "admin", "version": seen})
    assert late.status_code == 409
    ground.parts.access.sessions.begin(changed.json["id"])
    assert asker.post("/users/kim/end-sessions").json == {"ended": 1}
    only = asker.post("/users/ada%20lo/remove")
    assert only.status_code == 422
    assert asker.post("/users/kim/remove").json["sentence"]
    assert [one["name"] for one in asker.get("/users").json["users"]] == ["ada lo"]
    for path in ("role", "end-sessions", "remove"):
        body = {"role": "viewer"} if path == "role" else {}
        assert asker.post(f"/users/kim/{path}", body).status_code == 404
    lines = asker.get("/audit?what=user+remove").json["lines"]
    assert lines[0]["actor"].startswith("token:program")


def test_nobody_is_made_owner_and_odd_names_are_refused(asker: Program) -> None:
    answer = asker.post("/users", {"name": "kim", "role": "owner"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "role")
    assert asker.post("/users", {"name": "a/b", "role": "viewer"}).status_code == 422


def test_comparisons_and_imports_are_listed_in_pages(ground: Ground, asker: Program) -> None:
    sweeps = SqlSweeps(ground.parts.transactions, SiteCache())
    numbers = []
    for site_id in [1] * 51 + [2]:
        sweep = sweeps.begin(site_id, RunKind.DRY_RUN)
        assert sweep is not None
        sweeps.end(sweep)
        numbers.append(sweep.id)
    imported = ImportRuns(ground.admin.engine).begin(1)
    first = asker.get("/comparisons").json
    assert [run["id"] for run in first["runs"]][:2] == [imported, numbers[-1]]
    assert first["runs"][0]["kind"] == "import"
    rest = asker.open(first["next"]).json["runs"]
    assert {run["id"] for run in (*first["runs"], *rest)} == {*numbers, imported}
    theirs = program(ground, [Right.LOOK], site_id=2)
    assert [run["id"] for run in theirs.get("/comparisons").json["runs"]] == [numbers[-1]]
    assert theirs.get(f"/comparisons/{numbers[0]}").status_code == 404
    assert theirs.get(f"/comparisons/{numbers[-1]}").json["state"] == "done"
    assert asker.get("/comparisons/99999").status_code == 404
    of_site = asker.get("/sites/1/comparisons").json
    assert (of_site["under_way"]["id"], of_site["last_whole"]) == (imported, None)


def test_both_sides_are_looked_at_and_compared(
    ground: Ground, asker: Program, asked: Asked
) -> None:
    assert asker.post("/sites/1/comparisons/look").json["sentence"]
    ((site_id, actor),) = asked.looks
    assert (site_id, actor.startswith("token:")) == (1, True)
    begun = asker.post("/sites/1/comparisons/run", {"why": "after the move"})
    assert begun.status_code == 200, begun.text
    assert asker.get("/sites/1/comparisons").json["under_way"]["kind"] in ("sweep", "baseline")
    assert SqlSweeps(ground.parts.transactions, SiteCache()).begin(2, RunKind.SWEEP)
    for act in ("look", "run"):
        busy = asker.post(f"/sites/2/comparisons/{act}")
        assert (busy.status_code, busy.content_type) == (409, "application/problem+json"), act
    noted = {one.what: one.actor for one in SqlAudit(ground.admin.transactions).of_site(1)}
    assert noted["compare.run"].startswith("token:program")


def test_deletes_beyond_the_brake_are_let_go_by_their_number(ground: Ground) -> None:
    """For one comparison, by who counts them; another number than is held does nothing."""
    shop = HeldShop(ground.admin, "braked-")
    site = ground.admin.sites.find("braked-instance-1")
    held = [shop.hold("delete_brake") for _ in range(3)]
    asker = program(ground)
    path = f"/sites/{site.id}/comparisons"
    assert asker.get(path).json["braked_deletes"] == 3
    assert asker.post(f"{path}/run", {"allow_deletes": 3, "why": "w"}).status_code == 422
    seen = asker.get(path).json["braked_seen"]
    wrong = asker.post(f"{path}/run", {"allow_deletes": 2, "seen": seen, "why": "w"})
    assert wrong.status_code == 409
    assert "holds 3 deletes now, not 2" in wrong.json["detail"]
    assert {shop.state(number) for number in held} == {"held"}
    assert asker.get(path).json["under_way"] is None
    asked = {"allow_deletes": 3, "seen": seen, "why": "the old season is over"}
    done = asker.post(f"{path}/run", asked)
    assert done.status_code == 200, done.text
    assert {shop.state(number) for number in held} == {"new"}
    noted = {one.what: one for one in SqlAudit(ground.admin.transactions).of_site(site.id)}
    allowed = noted["reconcile.allow_deletes"]
    assert (allowed.actor[:14], allowed.after["deletes"]) == ("token:program ", 3)
    assert asker.get(path).json["braked_deletes"] == 0
