"""What was read and is written again changes nothing, by each shipped connector's own text rules.

Any text, over real HTTP, through the connector to its stand-in: limits, markup, slashes, spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from sync_sandbox.platforms.platform import Platform
from sync_sandbox.reviews import ReviewsState, create_reviews_app
from sync_worker.core.values import Draft, EntityRef, Person, Record
from sync_worker.core.values.texts import (
    BODY,
    PLAIN,
    TITLE,
    TextRule,
    WordsField,
    normal_form,
    told,
    written,
)
from sync_worker.core.words import with_stand_ins
from sync_worker.manifest.loader import shipped_manifest
from sync_worker.remotes.external.remote import ExternalRemote
from tests.integration.test_owners_bytes import PLATFORMS, remote_at, served
from tests.integration.test_written_words import connected
from tests.odd_texts import KINDS

WIX = TextRule(max_length=3000)
PARTS = [part for kind in KINDS for part in kind]
SENTENCES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map(" ".join)
TEXTS = st.one_of(st.text(max_size=300), SENTENCES)
FEW = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MAKER = Person(contact_id="c-1", email="ana@example.com", name="Ana")


@dataclass
class Line:
    """A connector to its stand-in, and a person for each text: some shops refuse an equal one."""

    remote: ExternalRemote
    platform: Platform | ReviewsState
    count: int = 0

    @property
    def rules(self) -> dict[str, TextRule]:
        words = self.remote.capabilities.words
        return {name: words[name] for name in (TITLE, BODY) if name in words}

    def made(self, words: dict[str, str]) -> Record:
        self.count += 1
        person = Person(contact_id="c", email=f"p{self.count}@example.com", name="Ana")
        draft = Draft(
            {"value": Decimal(4)}, EntityRef("22"), person, mapped=frozenset({"value"}), words=words
        )
        return self.remote.create(draft, f"key-{self.count}")

    def updated(self, record: Record, stars: int, words: dict[str, str]) -> Record:
        assert record.entity is not None
        is_new = record.values["value"] != stars
        names = {"value"} if is_new else set()
        draft = Draft(
            {"value": Decimal(stars)},
            record.entity,
            record.person,
            last=record.raw,
            mapped=frozenset({"value"}),
            words={**record.words, **words},
            changed=frozenset(names | set(words)),
        )
        return self.remote.update(record.remote_id, draft, record.revision)


@pytest.fixture(scope="module", params=[*PLATFORMS, "own-service"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    if request.param != "own-service":
        with connected(request.param) as (remote, platform, _):
            yield Line(remote, platform)
        return
    reviews = ReviewsState()
    with served(create_reviews_app(reviews)) as (url, _):
        environ = {
            "OWN_SERVICE_URL": url,
            "OWN_SERVICE_TOKEN": reviews.token,
            "OWN_SERVICE_WEBHOOK_SECRET": reviews.webhook_secret,
        }
        yield Line(remote_at(url, shipped_manifest("own-service"), environ), reviews)
    reviews.webhooks.stop()


@pytest.mark.full
@FEW
@given(TEXTS)
@example('I don\'t "like" C:\\new \\')
@example("a <b &amp; <script>x</script> \U0001f600")
@example("don\\'t")
@example(" \n ")
def test_text_of_wix_is_read_back_as_it_was_said_and_stays_so(line: Line, text: str) -> None:
    """Written by a create, by an update, and once more from what was read."""
    text = told(with_stand_ins(text), PLAIN)
    assume(text != told(text, TextRule(placeholder="(rated without a comment)")) or text)
    sent = {name: written(text, rule, cuts=True) for name, rule in line.rules.items()}
    record = line.made(sent)
    for _ in range(2):
        for name, rule in line.rules.items():
            shown = record.words[name]
            assert normal_form(shown, rule) == normal_form(sent[name], rule)
            if len(text) <= (rule.max_length or len(text)):
                field = WordsField(name, WIX, rule)
                assert field.agree(text, shown)
                sent[name] = field.carried("external", field.carried("wix", shown, None), None)
        record = line.updated(record, 4, sent)


@FEW
@given(TEXTS)
@example("<p>It's <b>good</b> &amp; \\ solid</p>\n")
def test_owners_text_is_the_same_after_stars_and_after_a_round_trip(line: Line, text: str) -> None:
    """Somebody's own bytes, as the system shows them, whoever wrote them there."""
    if isinstance(line.platform, ReviewsState):
        pytest.skip("its records come by its own API: the same as the law above")
    text = with_stand_ins(text)
    line.count += 1
    email = f"o{line.count}@example.com"
    title = text[:255] or "T"
    review = line.platform.create("22", email, "Ana", 4, by="visitor", title=title, text=text)
    before = line.remote.get(line.platform.remote_id(review))
    assert before is not None
    after = line.updated(before, 2, {})
    assert after.words == before.words
    for name, rule in line.rules.items():
        said = told(before.words[name], rule)
        # Markup around nothing says nothing: then the placeholder would stand there.
        if not said or len(said) > (rule.max_length or len(said)):
            continue
        again = line.updated(after, 2, {name: written(said, rule)})
        assert normal_form(again.words[name], rule) == normal_form(before.words[name], rule)
