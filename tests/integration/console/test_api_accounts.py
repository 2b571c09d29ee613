"""Accounts and first steps for programs: given, changed, paused, rotated, revoked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.services.access.who import Right
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.programs import Program, program
from tests.unit.manifest.test_settings import SMALL, written

pytestmark = pytest.mark.full

ACCOUNT = "/sites/1/account"
STEPS = "/sites/1/onboarding"
VALUES = {
    "base_url": "https://shop.example.org",
    "token": "t-canary",
    "hook_secret": "s-canary",
    "region": "eu",
}


@dataclass
class Asked:
    """In the place of the workers."""

    probes: list[tuple[str, str]] = field(default_factory=list)
    onboarded: list[tuple[int, list[str], str]] = field(default_factory=list)

    def probe(self, public_id: str, actor: str) -> None:
        self.probes.append((public_id, actor))

    def onboard(self, site_id: int, confirmed: Sequence[str], actor: str) -> None:
        self.onboarded.append((site_id, list(confirmed), actor))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def ground(sqlite_url: str, tmp_path: Path, asked: Asked) -> Iterator[Ground]:
    """Two sites without an account."""
    environ = {
        "CONNECTORS": str(written(tmp_path, SMALL)),
        "RATINGS_SYNC_HOME": str(tmp_path),
        "SECRETS_SEALING_KEY": public_of(new_key()),
        "GATEWAY_PUBLIC_URL": "https://door.example",
    }
    with ground_over(sqlite_url, **environ) as made:
        made.parts.__dict__["asking"] = asked
        made.admin.sites.add("instance-1", "", [])
        made.admin.sites.add("instance-2", "", [])
        yield made


@pytest.fixture
def asker(ground: Ground) -> Program:
    return program(ground)


def give(asker: Program, **values: str) -> None:
    body = {"connector": "small-shop", "values": VALUES | values}
    answer = asker.post(ACCOUNT, body)
    assert answer.status_code == 200, answer.text


def test_settings_are_told_as_a_json_schema(asker: Program) -> None:
    told = asker.get(f"{ACCOUNT}/settings").json
    assert (told["connector"], told["connectors"]) == ("small-shop", ["small-shop"])
    schema = told["values"]
    assert schema["required"] == ["base_url", "token", "hook_secret", "region"]
    assert schema["additionalProperties"] is False
    of = schema["properties"]
    assert (of["base_url"]["type"], of["base_url"]["format"]) == ("string", "uri")
    assert of["token"]["writeOnly"] is True
    assert of["region"]["enum"] == ["eu", "us"]
    give(asker)
    again = asker.get(f"{ACCOUNT}/settings").json["values"]
    # What is sealed already need not be sent again.
    assert again["required"] == ["base_url", "region"]


def test_account_is_given_shown_and_tried_out(ground: Ground, asker: Program, asked: Asked) -> None:
    assert asker.get(ACCOUNT).status_code == 404
    give(asker)
    shown = asker.get(ACCOUNT)
    assert shown.json["settings"] == {"base_url": "https://shop.example.org", "region": "eu"}
    assert sorted(shown.json["secrets"]) == ["hook_secret", "token"]
    assert shown.json["addresses"][0]["url"].startswith("https://door.example/webhooks/external/")
    ((_, actor),) = asked.probes
    assert actor.startswith("token:program")
    assert SqlAudit(ground.admin.transactions).of_site(1)[0].actor == actor


def test_secret_is_in_no_answer_and_not_in_the_ledger(ground: Ground, asker: Program) -> None:
    """Neither in what is answered, nor in what is kept for a request that is sent again."""
    body = {"connector": "small-shop", "values": VALUES}
    key = {"Idempotency-Key": "give"}
    first = asker.post(ACCOUNT, body, headers=key)
    again = asker.post(ACCOUNT, body, headers=key)
    assert first.json == again.json
    texts = [first.text, asker.get(ACCOUNT).text, asker.get(f"{ACCOUNT}/settings").text]
    texts += [asker.get("/audit").text, asker.post(ACCOUNT, body).text]
    with ground.parts.transactions.read() as connection:
        rows = connection.exec_driver_sql("SELECT hash, session_hash, result FROM console_form")
        texts.append(str(rows.all()))
    assert len(texts[-1]) > 100
    assert "canary" not in "".join(texts)


def test_values_that_cannot_be_are_named(asker: Program) -> None:
    wrong = {"connector": "small-shop", "values": {**VALUES, "region": "mars", "color": "red"}}
    answer = asker.post(ACCOUNT, wrong)
    assert answer.status_code == 422
    fields = {one["field"] for one in answer.json["errors"]}
    assert fields == {"values.region", "values.color"}
    assert asker.get(ACCOUNT).status_code == 404
    odd = asker.post(ACCOUNT, {"connector": "nobodys", "values": VALUES})
    assert (odd.status_code, odd.json["errors"][0]["field"]) == (422, "connector")


def test_change_of_what_was_not_seen_is_409(asker: Program) -> None:
    give(asker)
    seen = asker.get(ACCOUNT).json["version"]
    done = asker.post(f"{ACCOUNT}/change", {"values": {"region": "us"}, "version": seen})
    assert done.json["account"]["settings"]["region"] == "us"
    late = asker.post(f"{ACCOUNT}/change", {"values": {"region": "eu"}, "version": seen})
    assert late.status_code == 409
    assert asker.get(ACCOUNT).json["settings"]["region"] == "us"
    for act in ("pause", "resume", "revoke", "address/rotate"):
        body = {"version": seen} | ({"name": "small-shop"} if act == "revoke" else {})
        assert asker.post(f"{ACCOUNT}/{act}", body).status_code == 409, act


def test_account_rests_goes_on_moves_and_ends(ground: Ground, asker: Program) -> None:
    give(asker)
    paused = asker.post(f"{ACCOUNT}/pause", {"why": "the shop moves"}).json["account"]
    assert (paused["state"], paused["paused_why"]) == ("paused", "the shop moves")
    assert asker.post(f"{ACCOUNT}/resume").json["account"]["state"] == "new"
    assert asker.post(f"{ACCOUNT}/probe").json["sentence"]
    addresses = asker.post(f"{ACCOUNT}/address/rotate").json["account"]["addresses"]
    assert [bool(one["valid_until"]) for one in addresses].count(False) == 1
    assert len(addresses) == 2
    other = asker.post(f"{ACCOUNT}/revoke", {"name": "small", "why": "w"})
    assert (other.status_code, other.json["errors"][0]["field"]) == (422, "name")
    ended = asker.post(f"{ACCOUNT}/revoke", {"name": "small-shop", "why": "key leaked"})
    assert ended.json["account"]["state"] == "revoked"
    assert asker.get(ACCOUNT).status_code == 404
    told = {one.what for one in SqlAudit(ground.admin.transactions).of_site(1)}
    assert told >= {"account.add", "account.pause", "account.resume", "account.revoke"}


def test_looker_sees_how_it_stands_and_not_what_the_shop_gave(
    ground: Ground, asker: Program
) -> None:
    give(asker)
    seen = program(ground, [Right.LOOK]).get(ACCOUNT).json
    assert (seen["state"], seen["settings"], seen["secrets"]) == ("new", {}, [])
    assert (seen["addresses"], seen["account"], seen["identity"]) == ([], "", None)


def test_first_steps_are_shown_taken_left_out_and_done_anew(
    ground: Ground, asker: Program, asked: Asked
) -> None:
    give(asker)
    told = asker.get(STEPS).json
    assert [one["step"] for one in told["steps"]][:3] == ["installed", "account", "probe"]
    assert (told["next"], told["finished"], told["can_skip"]) == ("installed", False, False)
    assert asker.post(f"{STEPS}/run").json["sentence"]
    late = asker.post(f"{STEPS}/run", {"confirm": "scale"})
    assert late.status_code == 409
    assert asker.post(f"{STEPS}/again", {"step": "probe"}).status_code == 200
    for step, status in (("probe", 409), ("installed", 422)):
        skipped = asker.post(f"{STEPS}/skip", {"step": step, "why": "w"})
        assert skipped.status_code == status, skipped.text
    assert {one[0] for one in asked.onboarded} == {1}
    assert all(actor.startswith("token:") for _, _, actor in asked.onboarded)


def test_all_pairs_are_confirmed_at_once(asker: Program) -> None:
    done = asker.post("/sites/1/pairs/confirm-all", {"count": 0})
    assert (done.status_code, done.json["added"]) == (200, 0)
    # Somebody who has seen other pairs than there are is told so.
    assert asker.post("/sites/1/pairs/confirm-all", {"count": 3}).status_code == 409
