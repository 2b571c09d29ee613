"""Four times the length costs about four times the processor time, whatever stands in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync_worker.core.errors import SyncError
from sync_worker.core.nearest import nearest
from sync_worker.core.values.plain_text import plain_text, with_entities
from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.rows import BadFile
from sync_worker.manifest.drafting.deliveries import told_by
from sync_worker.manifest.paging.pagination import LINK
from sync_worker.manifest.paging.places import place_of
from sync_worker.manifest.record_writer import check_tree, url_path
from sync_worker.manifest.schema.base import compiled
from sync_worker.manifest.signatures import Received
from sync_worker.manifest.source.resolving import BadReference, resolved
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.credentials import without_secrets
from sync_worker.remotes.http.refusal_words import code_in, said_in
from sync_worker.remotes.http.waits import Waits
from sync_worker.services.access.owners import InstanceRefused, OwnerRules, verified
from sync_worker.services.imports.sending import safe_name
from tests.unit.signed import KEY
from webhook_gateway.wix import read_delivery

pytestmark = pytest.mark.full

SHORT, LONG = 20_000, 80_000
MOST = 9.0  # times; a cost that grows with the square of the length is 16
NOTHING = 0.02  # seconds of the long one, too short to be told from what the machine does beside
PARTS = (
    *("a", " ", "1", "é", "-", "/", "\\", "=", ";", "@", '"', "<", "{", "[", "&#", "\n", "\0"),
    *("a ", "a@", "a=", "a,", "a.", '"a\n', "<a ", "<!--", "<>", "{}", "{a", "[]", "://"),
    *("a=b,", "a||b", "a[0].", "a b ", "a:b@", "<a>; rel=next,"),
)
OUR_CALL = Call("POST", "reviews", "create", json={"name": "Ada Müller"}, is_write=True)
RULES = OwnerRules("secret", "app-1", 60.0)


def read_csv(text: str, folder: Path) -> None:
    file = folder / "rows.csv"
    file.write_text(f"a,b\n{text}", encoding="utf-8", newline="")
    with CsvFile(file) as rows:
        assert all(row.line for row in rows.rows())


def come_in(text: str, folder: Path) -> None:
    digest = hmac.new(b"secret", text.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    verified(f"{signature}.{text}", RULES, datetime.now(UTC))


def read_token(text: str, folder: Path) -> None:
    part = text.encode()
    for token in (part, part + b"." + part + b"." + part):
        read_delivery(token, [KEY.public_key()], "app-1")


def quote_ours(text: str, folder: Path) -> None:
    """A remote refuses a long text of ours."""
    call = Call("POST", "reviews", "create", json={"review": text}, is_write=True)
    said_in({"message": "It is no good"}, call, [text])


def draft_signature(text: str, folder: Path) -> None:
    told_by(Received(b"{}", {"x-signature": f"t=1,{text}"}, {}, 0.0), "SECRET", None)


ENTRANCES: dict[str, Callable[[str, Path], object]] = {
    "HTML to text": lambda text, folder: plain_text(text),
    "text to HTML": lambda text, folder: with_entities(text),
    "CSV": read_csv,
    "template of an address": lambda text, folder: url_path(text, {}),
    "template of a body": lambda text, folder: check_tree({"from": f"rating.{text}"}),
    "path of a manifest": lambda text, folder: compiled(text),
    "reference of a manifest": lambda text, folder: resolved({"a": {"env": text}}, {}),
    "signature of a draft": draft_signature,
    "token": read_token,
    "cursor": lambda text, folder: place_of(text),
    "link to the next page": lambda text, folder: LINK.findall(text),
    "signed instance": come_in,
    "words of a refusal": lambda text, folder: said_in({"message": text}, OUR_CALL, ["secret"]),
    "code of a refusal": lambda text, folder: code_in({"code": text}),
    "refusal of a long text of ours": quote_ours,
    "secrets in words": lambda text, folder: without_secrets(text, ["secret", "ada@x"]),
    "wait": lambda text, folder: Waits().seconds({"Retry-After": text}),
    "name of a file": lambda text, folder: safe_name(text),
    "word that was meant": lambda text, folder: nearest(text, ["id", "title"]),
}
REFUSALS = (SyncError, BadFile, BadReference, InstanceRefused, ValueError)


def cost(take: Callable[[str, Path], object], text: str, folder: Path) -> float:
    """The least of three, but of one that is next to nothing."""
    least = float("inf")
    for _ in range(3):
        before = time.thread_time()
        with suppress(*REFUSALS):
            take(text, folder)
        least = min(least, time.thread_time() - before)
        if least < NOTHING:
            break
    return least


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_cost_of_a_text_grows_with_its_length_alone(entrance: str, tmp_path: Path) -> None:
    take = ENTRANCES[entrance]
    for part in PARTS:
        long = cost(take, (part * LONG)[:LONG], tmp_path)
        if long < NOTHING:
            continue
        short = cost(take, (part * SHORT)[:SHORT], tmp_path)
        assert long < MOST * max(short, NOTHING / 4), (part, short, long)
