"""What people write survives: 2,000 odd texts between Wix Reviews and each platform, created and
edited on either side, end the same on both, and nothing is written back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.platforms.platform import Platform, Review
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix_side import MEMBER, ReviewsSide, Words
from sync_worker.config import load_settings
from sync_worker.core.values import EntityRef, Side, Site, WixKind
from sync_worker.core.values.texts import BODY, normal_form
from sync_worker.core.words import with_stand_ins
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.integration.own_worker import writes_of_sweep
from tests.odd_texts import odd_texts

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("ledger_at_home"),
    pytest.mark.any_redis,
]

REVIEWS = 1000
# Of the other platforms by `make test-all`; all of them by `make test-long`.
FEWER = 300
PRODUCTS = 50
RAISED = {"WIX_BUDGET_PER_MINUTE": "60000", "WIX_BUDGET_CAPACITY": "1000"}


@dataclass
class Ground:
    """A site of Wix Reviews and a platform, without webhooks: sweeps find everything."""

    box: Sandbox
    wiring: Wiring
    site: Site
    contacts: list[str]

    @property
    def platform(self) -> Platform:
        found = self.box.platform
        assert found is not None
        return found

    def sweep(self) -> list[PlannedWrite]:
        """The writes of one run."""
        return writes_of_sweep(self.wiring, self.site)

    def on_wix(self) -> dict[int, dict[str, Any]]:
        """Reviews by number of their person and product."""
        numbers = {contact: number for number, contact in enumerate(self.contacts)}
        return {
            numbers[one["author"]["contactId"]] * PRODUCTS
            + int(one["entityId"].removeprefix("product-")): one
            for one in self.box.wix.reviews.by_id.values()
        }

    def outside(self) -> dict[int, Review]:
        return {
            int(one.email.partition("@")[0].removeprefix("person")) * PRODUCTS
            + int(one.product): one
            for one in self.platform.reviews.values()
        }


@pytest.fixture
def ground(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: EmbeddedRedis, redis: Any
) -> Iterator[Ground]:
    # A person's own angle brackets are no markup; what a site makes of them is another test.
    box = Sandbox(SandboxOptions(rate_per_minute=None, platform=request.param))
    box.wix.faults.set("html_in_text_kept", chance=1.0)
    (tmp_path / f"{box.connector}.yaml").write_text(box.manifest())
    environ = {
        **box.settings(tmp_path),
        "RATINGS_SYNC_HOME": str(tmp_path),
        "REDIS_URL": redis_server.url,
        "REDIS_KEY_PREFIX": str(tmp_path),
        **RAISED,
    }
    wiring = Wiring(load_settings(environ), environ)
    fields = [default_field(wiring.manifests[box.connector], WixKind.REVIEWS)]
    site, _ = wiring.admin.sites.add(
        box.wix.instance_id, box.connector, fields, wix_api=WixKind.REVIEWS
    )
    pairs = [
        (EntityRef(f"product-{number}", "stores", "reviews"), EntityRef(str(number)))
        for number in range(PRODUCTS)
    ]
    wiring.admin.mappings.import_entities(site, pairs)
    contacts = [
        str(box.wix.add_contact(f"person{number}@example.com", f"Person {number}")["id"])
        for number in range(REVIEWS // PRODUCTS)
    ]
    yield Ground(box, wiring, site, contacts)
    wiring.close()
    box.stop()


def write_on_wix(ground: Ground, number: int, words: Words) -> None:
    person, product = divmod(number, PRODUCTS)
    side = ReviewsSide(ground.box.wix)
    side.rate(ground.contacts[person], f"product-{product}", 4, words)


def write_outside(ground: Ground, number: int, words: Words) -> None:
    person, product = divmod(number, PRODUCTS)
    email, name = f"person{person}@example.com", f"Person {person}"
    ground.platform.create(
        str(product), email, name, 4, by="visitor", title=words.title, text=words.body
    )


def differing(ground: Ground) -> list[tuple[int, str, str]]:
    """Reviews whose bodies do not say the same, with both."""
    remotes = ground.wiring.remotes.connect(ground.site).remotes
    rules = {side: remotes[side].capabilities.words[BODY] for side in Side}
    wix, outside = ground.on_wix(), ground.outside()
    assert wix.keys() == outside.keys()
    pairs = [
        (number, str(wix[number]["content"].get("body") or ""), outside[number].text)
        for number in wix
    ]
    return [
        (number, one, other)
        for number, one, other in pairs
        if normal_form(one, rules[Side.WIX]) != normal_form(other, rules[Side.EXTERNAL])
    ]


def many(platform: str, reviews: int, *marks: pytest.MarkDecorator) -> Any:
    """So many reviews on a platform, each written once and edited once."""
    return pytest.param(platform, reviews, id=f"{platform} {reviews}", marks=marks)


@pytest.mark.parametrize(
    ("ground", "reviews"),
    [
        many("woocommerce", REVIEWS),
        many("fera", FEWER),
        many("bigcommerce", FEWER),
        many("fera", REVIEWS, pytest.mark.long),
        many("bigcommerce", REVIEWS, pytest.mark.long),
    ],
    indirect=["ground"],
)
def test_odd_texts_cross_whole_and_nothing_comes_back(ground: Ground, reviews: int) -> None:
    texts = [with_stand_ins(text) for text in odd_texts(2 * reviews, seed=17)]
    for number, text in enumerate(texts[:reviews]):
        write = write_on_wix if number % 2 else write_outside
        write(ground, number, Words(f"Title {number}", text))
    assert len(ground.sweep()) == reviews
    assert differing(ground) == []
    assert ground.sweep() == [], "an equal text was written again"

    # Now each is edited where it was not written.
    for number, text in enumerate(texts[reviews:]):
        if number % 2:
            ground.platform.change(ground.outside()[number].id, by="visitor", text=text)
        else:
            review_id = ground.on_wix()[number]["id"]
            changes = {"content": {"body": text}}
            ground.box.wix.reviews.update(review_id, changes, MEMBER, is_client=False)
    ground.sweep()
    assert differing(ground) == []
    assert ground.sweep() == [], "an equal text was written again"


@pytest.mark.parametrize("ground", ["fera"], indirect=True)
def test_text_that_wix_keeps_without_its_tags_is_not_sent_again(ground: Ground) -> None:
    """What a side made of a text is what it says from then on: no edit, and no second write."""
    ground.box.wix.faults.clear()
    for number, text in enumerate(odd_texts(100, seed=18)):
        write_outside(ground, number, Words("Seen", with_stand_ins(text)))
    before = {number: one.text for number, one in ground.outside().items()}
    assert len(ground.sweep()) == 100
    assert ground.sweep() == []
    assert {number: one.text for number, one in ground.outside().items()} == before
