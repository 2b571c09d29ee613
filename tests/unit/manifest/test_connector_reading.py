"""How values are read and written beyond the plain case: keys from the request, times, names,
markup, placeholders.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.values import Draft, EntityRef, Person, RecordState
from sync_worker.core.values.plain_text import plain_text
from sync_worker.manifest.drafts import held_values, write_context
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import context_of, key_of
from sync_worker.manifest.record_reader import created_at, read_record, read_texts
from sync_worker.manifest.record_writer import filled
from sync_worker.manifest.source.resolving import Placeholders
from tests.documents import document_of
from tests.hostile import MARKUP

BASE = """
version: 1
id: small
base_url: https://small.example
key: {id: {path: id, as: int}, product: {context: entity.external_id}}
fields:
  entity: {context: entity.external_id, required: true}
  email: {path: email, as: email}
  value: {path: stars, as: decimal, required: true}
  body: {path: text, as: html_text}
  title: {path: title}
  state: {path: state}
  created_at: {path: made, as: datetime}
attributes: {taste: marks.taste, looks: marks.looks}
scale: {min: 1, max: 5, unrated: [0]}
text:
  required_body: true
  placeholder_body: "(none)"
  required_title: true
  placeholder_title: Rating
states: {read: {"true": published, "1": published, bad: spam}, default: rejected}
operations: {list: {method: GET, path: "/p/{entity.external_id}/r"}}
"""
CONTEXT = {"entity": {"external_id": "22"}}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_manifest(**changes: Any) -> Manifest:
    document = document_of(BASE)
    for place, value in changes.items():
        *path, last = place.split("__")
        part = document
        for name in path:
            part = part[name]
        part[last] = value
    return parse_manifest(document, Placeholders({}), Path("small.yaml"))


def a_resource(**changes: Any) -> dict[str, Any]:
    return {"id": 7, "email": "Ada@Example.com", "stars": 4, "state": True} | changes


def test_key_part_of_the_request_is_the_context_of_the_next_one() -> None:
    """A key part from the request comes back as the context of the next one."""
    manifest = a_manifest()
    record = read_record(manifest, a_resource(), CONTEXT)
    assert (record.entity, key_of(manifest, record.remote_id)) == (
        EntityRef("22"),
        {"id": "7", "product": "22"},
    )
    assert context_of(manifest, record.remote_id) == {
        "key": {"id": "7", "product": "22"},
        **CONTEXT,
    }


@pytest.mark.parametrize("remote_id", ["7", "{}", '{"id": "7"}', "[", '["id", "product"]'])
def test_id_that_lacks_a_part_is_refused(remote_id: str) -> None:
    with pytest.raises(Permanent):
        context_of(a_manifest(), remote_id)


def test_record_without_its_context_is_malformed_not_guessed() -> None:
    with pytest.raises(Permanent, match="'product' is missing"):
        read_record(a_manifest(), a_resource())


@pytest.mark.parametrize(
    "changes", [{"id": "seven"}, {"id": 7.5}, {"id": True}, {"stars": None}, {"stars": [4]}]
)
def test_record_with_a_broken_part_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        read_record(a_manifest(), a_resource(**changes), CONTEXT)


@pytest.mark.parametrize(
    ("stars", "value"), [(0, None), (7, Decimal(7)), ("4.50", Decimal("4.50"))]
)
def test_unrated_is_no_value_and_what_is_off_the_scale_stays_as_it_is(
    stars: Any, value: Decimal | None
) -> None:
    assert read_record(a_manifest(), a_resource(stars=stars), CONTEXT).values.get("value") == value


def test_clamp_bends_to_the_nearest_end_if_asked_for() -> None:
    manifest = a_manifest(scale__out_of_range="clamp")
    ends = [
        read_record(manifest, a_resource(stars=stars), CONTEXT).values["value"]
        for stars in (-3, 3, 7)
    ]
    assert ends == [1, 3, 5]


def test_values_may_have_names() -> None:
    manifest = a_manifest(fields__value={"path": "stars", "values": {"FIVE": 5, "FOUR": 4}})
    assert read_record(manifest, a_resource(stars="FIVE"), CONTEXT).values["value"] == 5


@pytest.mark.parametrize(
    ("word", "state"),
    [
        (True, RecordState.PUBLISHED),
        (1, RecordState.PUBLISHED),
        ("bad", RecordState.REJECTED),
        ("new", RecordState.REJECTED),
        (None, RecordState.REJECTED),
    ],
)
def test_state_is_read_by_its_word_and_an_unknown_one_by_the_default(
    word: Any, state: RecordState
) -> None:
    assert read_record(a_manifest(), a_resource(state=word), CONTEXT).state is state


@pytest.mark.parametrize("email", ["", "n/a", None, 5])
def test_what_is_no_address_is_nobody(email: Any) -> None:
    assert read_record(a_manifest(), a_resource(email=email), CONTEXT).person.email is None


@pytest.mark.parametrize(
    ("field", "written", "moment"),
    [
        ({}, "2026-11-20T10:15:00", "2026-11-20T10:15:00+00:00"),
        ({"tz": "Europe/Berlin"}, "2026-11-20T10:15:00", "2026-11-20T09:15:00+00:00"),
        ({"tz": "Europe/Berlin"}, "2026-11-20T10:15:00Z", "2026-11-20T10:15:00+00:00"),
        ({"unit": "epoch_ms"}, 1622036266926, "2021-05-26T13:37:46.926000+00:00"),
        ({"unit": "epoch_s"}, "1622036266", "2021-05-26T13:37:46+00:00"),
    ],
)
def test_time_is_read_in_its_unit_and_zone(
    field: dict[str, str], written: Any, moment: str
) -> None:
    manifest = a_manifest(fields__created_at={"path": "made", "as": "datetime", **field})
    found = created_at(manifest, a_resource(made=written))
    assert found is not None
    assert found.astimezone(UTC).isoformat() == moment


@pytest.mark.parametrize("written", ["yesterday", [], "9" * 40])
def test_what_is_no_time_is_malformed(written: Any) -> None:
    with pytest.raises(Permanent):
        created_at(a_manifest(), a_resource(made=written))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Good &amp; solid</p>\n", "Good & solid"),
        ("one<br>two", "one\ntwo"),
        ("<script>x()</script>plain", "plain"),
        ("3 < 4 stars", "3 < 4 stars"),
        ("<p>(none)</p>", "(none)"),
        ("I <3 you", "I <3 you"),
        ("a<", "a<"),
        ("a < b > c", "a < b > c"),
        ("x <é> y", "x <é> y"),
        ("AT&T &amp; &lt;b&gt; &#39;q&#39; &hellip;", "AT&T & <b> 'q' …"),
        ('<a href="x>y" title=it\'s>text</a> more', "text more"),
        ('<img alt="a"b">seen', "seen"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<STYLE>p { }</STYLE >plain</script>, too", "plain, too"),
        ("<!-- a > b -->text<!-->, too", "text, too"),
        ("<![CDATA[x]]>y <?xml z?>", "y"),
        ("kept <b and no end", "kept"),
        ("kept <!-- and no end", "kept"),
        ("kept <script>and no end", "kept"),
        ("&#" + "9" * 10_000 + ";", "\ufffd"),
        ("<div>" * 10_000 + "deep" + "</div>" * 10_000, "deep"),
        ("a</p>b<br/>c", "a\nb\nc"),
    ],
)
def test_markup_is_read_as_a_person_reads_it(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize("name", MARKUP)
def test_text_of_hostile_markup_takes_no_time(name: str) -> None:
    """Twice the length takes twice the time: ten times the longest review is still quick."""
    html = exact_json.loads(MARKUP[name])
    before = time.thread_time()
    plain_text(html * 2)
    assert time.thread_time() - before < 1.0


@given(st.text(st.sampled_from("<>!-/='\"&#;1 aAé?[]") | st.characters(), max_size=60))
def test_any_text_is_read_without_an_error(html: str) -> None:
    plain_text(html)


def test_placeholders_are_nobodys_words_also_with_markup_around_them() -> None:
    texts = read_texts(a_manifest(), a_resource(text="<p>(none)</p>\n", title="Rating"), CONTEXT)
    assert (texts.body, texts.title) == (None, None)


# -- writing


def a_draft(**last: Any) -> Draft:
    values = {"value": Decimal(4), "taste": Decimal(3)}
    person = Person(contact_id="c-1", email="ada@example.com", name="Ada")
    return Draft(values, EntityRef("22"), person, last=last, mapped=frozenset(values))


def test_new_record_gets_the_placeholders_and_the_time_of_now() -> None:
    rating = write_context(a_manifest(), a_draft(), {}, revision=None, now=NOW)["rating"]
    assert (rating["title"], rating["body"], rating["created_at"]) == ("Rating", "(none)", NOW)


def test_texts_time_and_foreign_sub_ratings_of_the_last_record_stay() -> None:
    last = a_resource(
        text="<b>Mine</b>", title="T", made="2026-01-02T03:04:05Z", marks={"taste": 1, "looks": 5}
    )
    manifest, draft = a_manifest(), a_draft(**last)
    held = held_values(manifest, draft)
    rating = write_context(manifest, draft, held, revision=None, now=NOW)["rating"]
    assert (rating["title"], rating["body"]) == ("T", "<b>Mine</b>")
    assert rating["created_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert rating["by_name"] == {"taste": 3, "looks": 5}


def test_leaves_convert_name_and_insist() -> None:
    context = {
        "rating": {"created_at": NOW, "value": Decimal(4), "state": "published"},
        "contact": {"email": None},
    }
    tree = {
        "at": {"from": "rating.created_at", "as": "iso8601"},
        "ms": {"from": "rating.created_at", "as": "epoch_ms"},
        "stars": {"from": "rating.value", "values": {"4": "FOUR"}},
    }
    assert filled(tree, context) == {
        "at": "2026-11-24T12:00:00Z",
        "ms": 1795521600000,
        "stars": "FOUR",
    }
    with pytest.raises(Permanent, match=r"contact\.email is not known"):
        filled({"email": {"from": "contact.email", "required": True}}, context)


@pytest.mark.parametrize("kind", ["iso8601", "int"])
def test_value_beyond_what_python_counts_cannot_be_written(kind: str) -> None:
    value = Decimal("Infinity") if kind == "int" else "0001-01-01T00:00:00+14:00"
    with pytest.raises(Permanent) as refusal:
        filled({"from": "a", "as": kind}, {"a": value})
    assert refusal.value.reason == "cannot_write"
