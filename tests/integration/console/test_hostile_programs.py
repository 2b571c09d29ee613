"""Hostile values by the ways of programs and owners: accounts, sent files, a signed instance."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from sync_console.web.limits import Limits
from sync_worker.core.scale import FieldMap
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.manifest.default_field import STARS, WIX_SCALE
from sync_worker.services.access.who import Role
from tests.hostile import IDS, NUMBERS, in_a_cell
from tests.integration.console.ground import Browser, Ground, ground_over
from tests.integration.console.programs import API, Program, program
from tests.integration.console.signed_instance import signature_of, unpadded
from tests.integration.console.test_api_accounts import ACCOUNT, VALUES, Asked
from tests.integration.hostile_records import little_time
from tests.unit.manifest.test_settings import SMALL, written

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

VALUES_THROWN: Mapping[str, str] = {**NUMBERS, **IDS}
MAX_ADDRESS = 4_000  # what is longer is cut before anybody reads it
JSON = {"Content-Type": "application/json"}
COLUMNS = ("entity=product", "email=email", "overall=rating", "name=name")


@pytest.fixture
def ground(postgres_url: str, tmp_path: Path) -> Iterator[Ground]:
    """One site without an account, over the database that takes less."""
    environ = {
        "CONNECTORS": str(written(tmp_path, SMALL)),
        "RATINGS_SYNC_HOME": str(tmp_path),
        "SECRETS_SEALING_KEY": public_of(new_key()),
        "CONSOLE_PUBLIC_URL": "https://console.example.com",
        "WIX_APP_ID": "app-1",
    }
    with ground_over(postgres_url, **environ) as made:
        made.parts.__dict__["asking"] = Asked()
        made.app.extensions["console_limits"] = Limits(10**9)
        made.admin.sites.add("instance-1", "", [FieldMap("overall", "v", WIX_SCALE, STARS)])
        yield made


def body_with(fields: Mapping[str, object], name: str, value: str) -> bytes:
    """These fields as JSON, one of them with the hostile value as it stands."""
    text = json.dumps({**fields, name: "@"}).replace('"@"', value)
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", ["base_url", "token"])
def test_hostile_value_of_an_account_is_refused_or_kept(ground: Ground, name: str) -> None:
    asker, browser = program(ground), ground.client(Role.ADMIN)
    for what, value in VALUES_THROWN.items():
        given = body_with(VALUES, name, value)
        body = b'{"connector": "small-shop", "values": ' + given + b"}"
        with little_time(what):
            answer = asker.open(f"{API}{ACCOUNT}", "POST", data=body, headers=JSON)
        assert answer.status_code in (200, 400, 422), (what, answer.text)
        if answer.status_code == 200:
            check_shown(asker, browser)


def check_shown(asker: Program, browser: Browser) -> None:
    """And it goes again."""
    assert asker.get(ACCOUNT).status_code == 200
    assert browser.get("/sites/1/account").status_code == 200
    ended = asker.post(f"{ACCOUNT}/revoke", {"name": "small-shop", "why": "w"})
    assert ended.status_code == 200


def test_every_row_of_a_sent_file_is_kept_or_refused_in_words(ground: Ground) -> None:
    """One hostile cell in each; what is refused can be sent again."""
    good = ["SKU-1", "ada@example.com", "4", "Ada"]
    rows = [
        [in_a_cell(value) if place == column else cell for place, cell in enumerate(good)]
        for column in range(len(good))
        for value in VALUES_THROWN.values()
    ]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["product", "email", "rating", "name"], *rows])
    asked = [("name", "r.csv"), ("scale", "1:5:1"), *(("columns", one) for one in COLUMNS)]
    asker, browser = program(ground), ground.client(Role.ADMIN)
    with little_time("a file", 10.0):
        sent = asker.open(
            f"{API}/sites/1/imports?{urlencode(asked)}",
            "POST",
            data=buffer.getvalue().encode("utf-8", "surrogatepass"),
            headers={"Content-Type": "text/csv"},
        )
    assert sent.status_code == 200, sent.text
    assert sent.json["row_count"] == len(rows)
    assert 100 < sent.json["counts"]["rejected"] < len(rows)
    for path in ("", "/rows", "/rejected"):
        assert asker.get(f"/sites/1/imports/1{path}").status_code == 200
    for path in ("", "/rejected"):
        assert browser.get(f"/sites/1/imports/1{path}").status_code == 200


@pytest.mark.parametrize("name", ["instanceId", "uid", "signDate", "more"])
def test_hostile_part_of_a_signed_instance_lets_nobody_fall(ground: Ground, name: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    fields = {
        "instanceId": "instance-1",
        "appDefId": "app-1",
        "uid": "uid-1",
        "permissions": "OWNER",
        "signDate": now.replace("+00:00", "Z"),
    }
    for what, value in VALUES_THROWN.items():
        if len(value) > MAX_ADDRESS:
            continue
        text = unpadded(body_with(fields, name, value))
        language = quote(in_a_cell(value).encode("utf-8", "surrogatepass"))
        browser = ground.anonymous()
        with little_time(what):
            answer = browser.get(f"/owner?instance={signature_of(text)}.{text}&locale={language}")
            while answer.status_code == 303:
                answer = browser.get(answer.headers["Location"])
        assert answer.status_code in (200, 403, 422), (what, answer.text)
