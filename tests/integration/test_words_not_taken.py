"""Words that a system does not take, over real HTTP: the stars cross, and the words are held."""

from __future__ import annotations

import time

import pytest

from sync_worker.ledger import pauses
from tests.integration.test_reviews_both_ways import OUT_PUT, PATCH, Shop, shop

__all__ = ["shop"]

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

GRINNING = "\U0001f600"
SOON = 0.05  # seconds, that a first pause lasts
# Of one call: twice with all of it, the text, and that as our own news is seen; the stars take one.
TRIES = 3
# All of it, the stars, each of two words, and what is held as news of either write is seen.
MOST = 4 + 2


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "BACKOFF_FIRST_SECONDS", SOON)


def held_reasons(shop: Shop) -> set[str]:
    return {one.reason for one in shop.wiring.admin.held.all()}


def work_off_till(shop: Shop, reasons: set[str]) -> None:
    for _ in range(100):
        shop.work_off()
        if held_reasons(shop) == reasons:
            return
        time.sleep(SOON)
    raise AssertionError(f"held: {held_reasons(shop)}")


def test_stars_of_wix_cross_without_words_that_break_the_system(shop: Shop) -> None:
    shop.writes_on_wix(4)
    shop.box.reviews.faults.set("emoji_breaks", chance=1)
    before = shop.box.reviews.calls[OUT_PUT]
    shop.edits_on_wix(1, body=f"Broke {GRINNING}")
    work_off_till(shop, {"words_refused"})
    (rating,) = shop.box.reviews.ratings.values()
    assert (rating["score"], rating["text"]) == (1, "Sturdy mug.")
    assert shop.box.reviews.calls[OUT_PUT] - before <= 4 * TRIES + 1
    shop.edits_on_wix(1, body="Broke.")
    work_off_till(shop, set())
    (rating,) = shop.box.reviews.ratings.values()
    assert (rating["score"], rating["text"]) == (1, "Broke.")


def test_stars_from_outside_cross_without_words_that_break_wix(shop: Shop) -> None:
    shop.rates_outside(4)
    shop.box.wix.faults.set("emoji_breaks", chance=1)
    before = shop.box.wix.calls[PATCH]
    shop.edits_outside(1, text=f"Broke {GRINNING}")
    work_off_till(shop, {"words_refused"})
    assert shop.review["content"]["rating"] == 1
    assert "body" not in shop.review["content"]
    assert shop.box.wix.calls[PATCH] - before <= 4 * TRIES + 1
    shop.edits_outside(1, text="Broke.")
    work_off_till(shop, set())
    assert shop.review["content"]["body"] == "Broke."


@pytest.mark.parametrize(
    ("fault", "word"), [("emoji_refused", GRINNING), ("blocked_words", "Casino")]
)
def test_title_of_wix_crosses_beside_a_refused_text(shop: Shop, fault: str, word: str) -> None:
    shop.writes_on_wix(4)
    shop.box.reviews.faults.set(fault, chance=1)
    before = shop.box.reviews.calls[OUT_PUT]
    shop.edits_on_wix(1, title="Bad", body=f"Broke {word}")
    (rating,) = shop.box.reviews.ratings.values()
    assert (rating["score"], rating["headline"], rating["text"]) == (1, "Bad", "Sturdy mug.")
    assert held_reasons(shop) == {"words_refused"}
    assert shop.box.reviews.calls[OUT_PUT] - before <= MOST


@pytest.mark.parametrize(
    ("fault", "word"), [("emoji_refused", GRINNING), ("blocked_words", "Casino")]
)
def test_title_from_outside_crosses_beside_a_refused_text(
    shop: Shop, fault: str, word: str
) -> None:
    shop.rates_outside(4)
    shop.box.wix.faults.set(fault, chance=1)
    before = shop.box.wix.calls[PATCH]
    shop.edits_outside(1, headline="Bad", text=f"Broke {word}")
    content = shop.review["content"]
    assert (content["rating"], content["title"], content.get("body")) == (1, "Bad", None)
    assert held_reasons(shop) == {"words_refused"}
    assert shop.box.wix.calls[PATCH] - before <= MOST
