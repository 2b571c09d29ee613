"""Files of ratings for programs: sent, checked at once, handed to the workers, given back."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from typing import Any

import pytest

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import SiteState
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.imports.values import RowEnd
from sync_worker.ledger.imports.work import SqlImportWork
from sync_worker.manifest.default_field import STARS, WIX_SCALE
from sync_worker.services.access.who import OF_INSTALLATION, RIGHTS, Right, Role
from sync_worker.services.imports import sending
from tests.integration.console.ground import Ground
from tests.integration.console.programs import Program, program

pytestmark = pytest.mark.full

IMPORTS = "/sites/1/imports"
HEAD = "rating,curated,reviewer_name,reviewer_email,product_id\n"
CSV = HEAD + "5,ok,Ada,ada@example.com,P1\n9,ok,Bob,bob@example.com,P1\n4,spam,C,c@example.com,P2\n"


@pytest.fixture
def asker(ground: Ground) -> Program:
    """For a ledger with two sites."""
    field = FieldMap("overall", "value", WIX_SCALE, STARS)
    for number in (1, 2):
        ground.admin.sites.add(f"instance-{number}", f"shop-{number}", [field])
    return program(ground)


def sent(asker: Program, content: object = CSV, query: str = "preset=judgeme", **more: Any) -> Any:
    return asker.open(f"/api/v1{IMPORTS}?{query}", "POST", data=content, **more)


def looked_at(ground: Ground, import_id: int, ends: list[RowEnd]) -> None:
    """As a worker does that has played the file."""
    work = SqlImportWork(ground.parts.transactions)
    claim = work.claim()
    assert claim is not None
    assert claim.file.id == import_id
    work.save(claim, ends, {"create on wix": 1})
    assert work.rest(claim) is False


def test_file_is_kept_and_its_rows_are_checked_at_once(asker: Program) -> None:
    answer = sent(asker, query="preset=judgeme&name=reviews.csv")
    assert answer.status_code == 200, answer.text
    assert (answer.json["name"], answer.json["phase"], answer.json["state"]) == (
        "reviews.csv",
        "check",
        "ready",
    )
    assert (answer.json["row_count"], answer.json["counts"]) == (3, {"rejected": 1, "skipped": 1})
    path = f"{IMPORTS}/{answer.json['id']}"
    (bad,) = asker.get(f"{path}/rows?what=rejected").json["rows"]
    assert (bad["line"], bad["place"]) == (3, "rating")
    assert "not on the scale" in bad["reason"]
    shown = asker.get(path).json
    assert (shown["left"], shown["may_look"], shown["may_run"]) == (1, True, False)
    assert [one["id"] for one in asker.get(IMPORTS).json["files"]] == [answer.json["id"]]


def test_rejected_rows_are_a_file_again(asker: Program) -> None:
    lines = json.dumps({"product": "P1", "mail": "ada@example.com", "stars": 7}) + "\n[1]\n"
    columns = "columns=entity%3Dproduct&columns=email%3Dmail&columns=overall%3Dstars"
    for content, query in ((CSV, "preset=judgeme"), (lines, f"name=r.jsonl&scale=1:5:1&{columns}")):
        answer = sent(asker, content, query)
        assert answer.status_code == 200, answer.text
        part = asker.get(f"{IMPORTS}/{answer.json['id']}/rejected").json
        assert part["next_after"] is None
        if part["name"].endswith(".csv"):
            (row,) = csv.DictReader(io.StringIO(part["text"]))
            assert row["rejected_line"] == "3"
            # Put right, the file goes in.
            again = sent(asker, part["text"].replace(",9,", ",2,"))
            assert (again.json["row_count"], again.json["counts"]) == (1, {})
        else:
            first, second = (json.loads(line) for line in part["text"].splitlines())
            assert (first["stars"], first["rejected_column"]) == (7, "stars")
            assert second["rejected_text"] == "[1]"


@pytest.mark.parametrize(
    ("content", "query", "said"),
    [
        (b"", "preset=judgeme", "empty"),
        (b"a,b\n1,2\n", "preset=judgeme", "there is no column"),
        (HEAD, "preset=judgeme", "no row"),
        (b"PK\x03\x04workbook", "preset=judgeme&name=x.csv", "x.csv: is an Excel workbook"),
        (b"[{}]", "preset=judgeme&name=../x.json", "x.json: is one JSON list"),
        (CSV, "preset=/etc/passwd", "there is no preset"),
        (CSV, "preset=../judgeme.yaml", "there is no preset"),
        (CSV, "columns=entity", "PART=COLUMN"),
        (CSV, "preset=judgeme&scale=1:5", "MIN:MAX:STEP"),
        (CSV, "preset=judgeme&entity_of=moon", "entity_of"),
        (CSV, "preset=judgeme&color=red", "color"),
    ],
)
def test_file_that_cannot_be_taken_is_not_kept(
    asker: Program, content: bytes | str, query: str, said: str
) -> None:
    answer = sent(asker, content, query)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert said in answer.json["detail"]
    assert tempfile.gettempdir() not in answer.text
    assert asker.get(IMPORTS).json["files"] == []


def test_too_large_a_file_is_refused_on_its_way(asker: Program) -> None:
    size = sending.MAX_FILE_BYTES + 1
    answer = sent(asker, b"x" * size)
    assert answer.status_code == 413
    # Where nobody says how long it is, it is counted.
    chunked = {"wsgi.input_terminated": True}
    unsaid = sent(asker, io.BytesIO(b"x" * size), environ_overrides=chunked)
    assert unsaid.status_code in (413, 422)
    assert asker.get(IMPORTS).json["files"] == []


def test_key_sends_a_file_once(asker: Program) -> None:
    key = {"Idempotency-Key": "file-1"}
    first, again = sent(asker, headers=key), sent(asker, headers=key)
    assert first.json == again.json
    assert len(asker.get(IMPORTS).json["files"]) == 1
    other = sent(asker, CSV + "1,ok,D,d@example.com,P1\n", headers=key)
    assert other.status_code == 422
    assert len(asker.get(IMPORTS).json["files"]) == 1


def test_nothing_is_imported_before_a_look_and_its_number(ground: Ground, asker: Program) -> None:
    import_id = sent(asker).json["id"]
    path = f"{IMPORTS}/{import_id}"
    assert asker.post(f"{path}/run", {"count": 0}).status_code == 409
    assert asker.post(f"{path}/look").status_code == 200
    assert asker.get(path).json["file"]["state"] == "working"
    assert asker.post(f"{path}/look").status_code == 409
    assert asker.post(f"{path}/remove").status_code == 409
    created = RowEnd(2, "created")
    looked_at(ground, import_id, [created, RowEnd(3, "rejected", "rating"), RowEnd(4, "skipped")])
    shown = asker.get(path).json
    assert (shown["file"]["phase"], shown["file"]["state"]) == ("look", "ready")
    assert shown["file"]["counts"] == {"created": 1, "rejected": 1, "skipped": 1}
    assert (shown["may_run"], shown["to_type"]) == (True, 1)
    assert asker.post(f"{path}/run", {"count": 2}).status_code == 409
    assert asker.post(f"{path}/run", {}).status_code == 422
    assert asker.post(f"{path}/run", {"count": 1, "why": "moved"}).status_code == 200
    shown = asker.get(path).json
    assert (shown["file"]["phase"], shown["file"]["counts"], shown["left"]) == ("run", {}, 3)
    assert asker.post(f"{path}/stop").status_code == 200
    assert asker.get(path).json["file"]["state"] == "stopped"
    # It goes on where it was.
    assert asker.post(f"{path}/run", {"count": 1}).status_code == 409
    assert asker.post(f"{path}/run", {"count": 3}).status_code == 200
    asker.post(f"{path}/stop")
    assert asker.post(f"{path}/remove").status_code == 200
    assert asker.get(path).status_code == 404
    lines = SqlAudit(ground.admin.transactions).of_site(1)
    assert [line.what for line in reversed(lines)] == [
        *("import.send", "import.look", "import.run", "import.stop", "import.run"),
        *("import.stop", "import.remove"),
    ]
    assert {line.actor[:6] for line in lines} == {"token:"}
    assert "moved" in [line.why for line in lines]


def test_site_at_rest_imports_nothing(ground: Ground, asker: Program) -> None:
    import_id = sent(asker).json["id"]
    ground.admin.sites.set_state(1, SiteState.PAUSED, "grace", "a sale")
    refused = asker.post(f"{IMPORTS}/{import_id}/look")
    assert (refused.status_code, "at rest" in refused.json["detail"]) == (422, True)
    assert "at rest" in asker.get(f"{IMPORTS}/{import_id}").json["why_not"]


def test_who_may_do_what_with_a_file(ground: Ground, asker: Program) -> None:
    """Support looks; whoever may compare imports; addresses are for who may see them."""
    import_id = sent(asker).json["id"]
    path = f"{IMPORTS}/{import_id}"
    asks = {
        Role.VIEWER: (403, 403, 403, 403),
        Role.SUPPORT: (200, 200, 403, 200),
        Role.ADMIN: (200, 200, 409, 200),
        Role.OWNER: (200, 200, 409, 200),
    }
    for role, expected in asks.items():
        one = program(ground, sorted(RIGHTS[role] - OF_INSTALLATION), 1)
        assert one.get(path).status_code == 200
        found = (
            sent(one).status_code,
            one.get(f"{path}/rows").status_code,
            one.post(f"{path}/run", {"count": 1}).status_code,
            one.get(f"{path}/rejected").status_code,
        )
        assert found == expected, role


def test_file_of_one_site_is_nothing_at_another(ground: Ground, asker: Program) -> None:
    import_id = sent(asker).json["id"]
    mine = program(ground, sorted(set(Right) - OF_INSTALLATION), 2)
    for path in (IMPORTS, "/sites/2/imports"):
        for part in ("", "/rows", "/rejected"):
            assert mine.get(f"{path}/{import_id}{part}").status_code == 404
        for act in ("look", "run", "stop", "remove"):
            answer = mine.post(f"{path}/{import_id}/{act}", {"count": 1} if act == "run" else {})
            assert answer.status_code == 404, act
    assert sent(mine).status_code == 404
    assert asker.get(f"{IMPORTS}/{import_id}").json["file"]["state"] == "ready"
