"""The stand-in Wix is what Wix's own public client takes it for: `@wix/sdk` and `@wix/reviews` make
every call that we make, and read every event.

A stand-in that only our own adapter has ever talked to would prove nothing about the wire.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.control.wix import wix_app
from sync_sandbox.served import Served
from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import REJECTED
from sync_sandbox.wix.state import WixState
from tests.integration.listener import Listener

pytestmark = [pytest.mark.full, pytest.mark.timeout(240)]

SCRIPT = Path(__file__).parents[1] / "wix_sdk"
BODY = 'Sturdy "mug" 👍 \\ <3 &amp; שלום'
VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script with Wix's packages beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed; `tests/wix_sdk` runs where they are")
    made = tmp_path_factory.mktemp("wix_sdk")
    shutil.copytree(SCRIPT, made, dirs_exist_ok=True)
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=made, capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        pytest.skip(f"npm cannot be reached, Wix's packages are not here: {done.stderr[-300:]}")
    return made


@dataclass
class Drive:
    """A stand-in Wix with a listener, and Wix's client for it."""

    folder: Path
    wix: WixState
    url: str
    listener: Listener

    def run(self, what: str, **given: Any) -> Any:
        """What the client made of it."""
        about = {
            "url": self.url,
            "appId": self.wix.app_id,
            "appSecret": self.wix.app_secret,
            "instanceId": self.wix.instance_id,
            "publicKey": self.wix.public_key,
            "apiKey": self.wix.api_key,
            "siteId": self.wix.site_id,
        }
        done = subprocess.run(
            ["node", "drive.mjs", what],
            cwd=self.folder,
            input=json.dumps(about | given),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    def told(self) -> list[str]:
        """The webhooks of reviews so far, as they came."""
        assert self.wix.webhooks.flush(10)
        return [body.decode() for _, _, body in self.listener.got]


@pytest.fixture
def drive(folder: Path, listener: Listener) -> Iterator[Drive]:
    wix = WixState(webhook_url=None)
    served = Served(wix_app(wix), 0)
    yield Drive(folder, wix, served.url, listener)
    served.stop()
    wix.webhooks.stop()


def test_wix_own_client_gets_what_it_asks_for_and_hears_what_happened(drive: Drive) -> None:
    wix = drive.wix
    ana, bo = (wix.add_contact(None, name)["id"] for name in ("Ana", "Bo"))
    product = str(uuid.uuid4())
    wix.webhooks.url = drive.listener.url
    made = drive.run("calls", ana=ana, bo=bo, product=product, body=BODY)

    created = made["created"]
    assert created["revision"] == "1"
    assert created["content"]["body"] == BODY
    assert [list(item) for item in created["content"]["media"]] == [["image"], ["video"]]
    assert created["reviewDate"] == "2025-11-20T09:15:00.000Z"
    assert created["author"] == {"contactId": ana, "authorName": "Ana M."}
    assert created["origin"] == {"type": "APP", "appId": wix.app_id}
    assert made["got"] == created
    assert made["updated"]["content"] == created["content"] | {"rating": 2, "body": "Broke."}
    assert "title" not in made["cleared"]["content"]
    first, second = made["bulk"]["results"]
    assert (first["itemMetadata"]["success"], first["review"]["content"]["rating"]) == (True, 5)
    assert second["itemMetadata"]["success"] is False
    firsts, seconds, *more = made["pages"]
    assert [one["author"]["contactId"] for one in firsts + seconds] == [ana, bo]
    assert more == [True, False]
    assert (made["plain"], made["counts"]) == (2, [2, 1, 2])
    assert made["rejected"]["review"]["moderation"]["moderationStatus"] == "REJECTED"
    assert made["approved"]["review"]["publishCount"] == 2
    assert [one["_id"] for one in made["typed"]] == [created["_id"]]
    assert made["replied"]["review"]["reply"]["message"] == "Thank you!"
    assert "reply" not in made["bare"]["review"]
    assert made["deleted"] == made["bare"]
    assert made["hidden"]["code"] == "REVIEW_NOT_FOUND"
    refusals = made["refusals"]
    assert refusals["stale"]["code"] == "REVIEW_ALREADY_CHANGED"
    assert refusals["stars"]["field"] == "review.content.rating"
    assert refusals["duplicate"]["code"] == "REVIEW_ALREADY_EXISTS"
    assert refusals["contact"]["code"] == "CONTACT_NOT_FOUND"
    assert refusals["byFilter"]["code"] == "UNIMPLEMENTED"

    _check_events(drive, created["_id"])


def _check_events(drive: Drive, review_id: str) -> None:
    """All that the calls brought about, and what others did, reaches the client's handlers."""
    wix = drive.wix
    organic = wix.reviews.create(
        {
            "namespace": "stores",
            "entityId": "mug",
            "author": {"contactId": next(iter(wix.contacts))},
            "content": {"rating": 3},
        },
        VISITOR,
    )
    wix.reviews.moderate(organic["id"], REJECTED, OWNER)
    webhooks = drive.told()
    heard = drive.run("events", webhooks=webhooks)
    assert len(heard) == len(webhooks)
    about = [one for one in heard if one["event"]["metadata"]["entityId"] == review_id]
    assert {one["name"] for one in about} == {
        "onReviewCreated",
        "onReviewUpdated",
        "onReviewDeleted",
        "onReviewModerationStatusChanged",
        "onReviewPublished",
    }
    by_name = {one["name"]: one for one in about}
    created = by_name["onReviewCreated"]
    assert created["identity"] == {"identityType": "APP", "appId": wix.app_id}
    assert created["event"]["entity"]["content"]["body"] == BODY
    deleted = by_name["onReviewDeleted"]["event"]
    assert deleted["entity"]["_id"] == review_id
    sequence = [int(one["event"]["metadata"]["entityEventSequence"]) for one in about]
    assert sorted(sequence) == list(range(1, len(about) + 1))
    decided = [
        one["event"]["data"]
        for one in heard
        if one["name"] == "onReviewModerationStatusChanged"
        and one["event"]["metadata"]["entityId"] == organic["id"]
    ]
    last = {one["review"]["moderation"]["moderationStatus"]: one for one in decided}["REJECTED"]
    assert last["previousModerationStatus"] == "APPROVED"
