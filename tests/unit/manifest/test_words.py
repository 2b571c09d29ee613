"""Words of a record by its manifest: as the system shows them, and what it says it can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.values.plain_text import plain_text, with_entities
from sync_worker.core.values.texts import TextRule
from sync_worker.manifest.check.texts import check_texts
from sync_worker.manifest.loader import SHIPPED, load_manifest, parse_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_record
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.manifest.summary import describe

DOCUMENT = """
version: 1
id: worded
base_url: https://example.com
key: {id: {path: id}}
fields:
  entity: {path: product}
  value: {path: stars, as: decimal}
  title: {path: head.line}
  body: {path: "text || comment", as: html_text}
  created_at: {path: made, as: datetime}
scale: {min: 1, max: 5}
text: {sync: [title, body], title_max_length: 255, required_body: true, placeholder_body: (none)}
operations:
  get: {method: GET, path: "/r/{key.id}"}
  find: {method: GET, path: /r}
  list: {method: GET, path: /r}
  create:
    method: POST
    path: /r
    body: {title: {from: rating.title, max_length: 80}, text: {from: rating.body, as: html_text}}
  update: {method: PUT, path: "/r/{key.id}", body: {text: {from: rating.body, as: html_text}}}
"""


def a_manifest(**changes: Any) -> Manifest:
    document = yaml.safe_load(DOCUMENT)
    for place, value in changes.items():
        *path, last = place.split("__")
        part = document
        for name in path:
            part = part[name]
        part[last] = value
    return parse_manifest(document, {}, Path("worded.yaml"))


def words_of(**shown: Any) -> Any:
    return read_record(a_manifest(), {"id": 1, "product": "p", "stars": 4} | shown).words


def test_words_are_read_as_the_system_shows_them() -> None:
    found = words_of(head={"line": " T\r\n"}, text="<p>I don't &amp; won't</p>\n")
    assert found == {"title": " T\r\n", "body": "<p>I don't &amp; won't</p>\n"}


def test_placeholder_is_shown_and_left_to_whoever_compares() -> None:
    assert words_of(text="(none)") == {"body": "(none)"}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({}, {}),
        ({"head": {}}, {}),
        ({"head": None}, {"title": ""}),
        ({"head": {"line": None}}, {"title": ""}),
        ({"head": {"line": ""}, "comment": None}, {"title": "", "body": ""}),
        ({"head": {"line": 5}}, {"title": "5"}),
        ({"head": {"line": ["a"]}, "text": {"p": 1}}, {}),
    ],
)
def test_what_is_not_shown_is_absent_and_what_is_empty_is_empty(shown: Any, words: Any) -> None:
    assert words_of(**shown) == words


def test_manifest_that_names_no_words_to_sync_reads_none() -> None:
    record = read_record(a_manifest(text={}), {"id": 1, "stars": 4, "text": "Nice"})
    assert (record.words, a_manifest(text={}).capabilities.words) == ({}, {})


@pytest.mark.parametrize("made", ["2026-01-02T03:04:05Z", "yesterday", None, {"at": 1}])
def test_time_of_writing_is_read_and_one_that_is_none_harms_nothing(made: Any) -> None:
    record = read_record(a_manifest(), {"id": 1, "stars": 4, "made": made})
    is_time = isinstance(made, str) and made.startswith("2026")
    assert record.written_at == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) if is_time else None)


def test_rules_of_the_words_follow_from_what_reads_and_writes_them() -> None:
    assert a_manifest().capabilities.words == {
        "title": TextRule(max_length=80, can_update=False),
        "body": TextRule(is_html=True, required=True, placeholder="(none)"),
    }


def test_word_that_no_field_reads_cannot_be_kept_in_step() -> None:
    with pytest.raises(Misconfigured, match=r"reply needs fields\.reply with a path"):
        a_manifest(text__sync=["title", "reply"])


def extending(folder: Path, **own: Any) -> Manifest:
    """A shop's own manifest, of which only the differences from another are stated."""
    base = yaml.safe_load(DOCUMENT) | {"id": "base"}
    base["text"] |= {"create_only": ["title", "body"]}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    (folder / "between.yaml").write_text("{version: 1, id: between, extends: base}")
    file = folder / "own.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "id": "own", "extends": "between", **own}))
    return load_manifest(file, {})


@pytest.mark.parametrize("nothing", [None, {"path": None, "const": ""}])
@pytest.mark.parametrize(("left_out", "kept"), [("title", ("body",)), ("body", ("title",))])
def test_word_that_a_shop_s_manifest_leaves_out_travels_no_more(
    tmp_path: Path, left_out: str, kept: tuple[str, ...], nothing: Any
) -> None:
    """It was written before words travelled, and goes on loading."""
    text = extending(tmp_path, fields={left_out: nothing}, text={"reply_max_length": 9}).text
    assert (text.sync, text.create_only, text.reply_max_length) == (kept, kept, 9)
    assert text.title_max_length == (255 if "title" in kept else None)


def test_shop_s_manifest_that_leaves_out_all_words_has_none(tmp_path: Path) -> None:
    manifest = extending(tmp_path, fields={"title": None, "body": None})
    assert (manifest.text.sync, manifest.capabilities.words) == ((), {})
    assert not [one for one in check_texts(manifest) if one.wrong or one.advice]


def test_word_that_a_shop_s_manifest_names_and_leaves_out_is_refused(tmp_path: Path) -> None:
    """There its author contradicts himself; before, he did not know of words."""
    with pytest.raises(Misconfigured, match=r"text\.sync: title needs fields\.title with a path"):
        extending(tmp_path, fields={"title": None}, text={"sync": ["title"]})


@pytest.mark.parametrize("field", ["title", "body"])
@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.yaml")))
def test_shipped_manifests_can_be_extended_without_a_word(
    tmp_path: Path, name: str, field: str
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"version: 1\nid: mine\nextends: {name}\nfields: {{{field}: null}}\n")
    manifest = load_manifest(own, Placeholders({}))
    assert field not in manifest.text.sync
    assert [finding for finding in check_texts(manifest) if finding.wrong or finding.advice] == []


@pytest.mark.parametrize("sync", [["titel"], "body", [7]])
def test_unknown_words_and_limits_of_nothing_are_refused(sync: Any) -> None:
    with pytest.raises(Misconfigured, match="text"):
        a_manifest(text__sync=sync)
    with pytest.raises(Misconfigured, match="title_max_length"):
        a_manifest(text__title_max_length=0)


def test_path_that_breaks_on_a_record_says_where_it_stands() -> None:
    manifest = a_manifest(fields__title={"path": "join(', ', tags)"})
    with pytest.raises(Permanent, match="join"):
        read_record(manifest, {"id": 1, "stars": 4, "tags": 7})


@example("\U0010fffe")
@given(st.text())
def test_entities_read_as_the_text_and_hold_nothing_that_is_slashed(text: str) -> None:
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    sent = with_entities(plain)
    assert plain_text(sent) == plain_text(plain)
    assert not set(sent) & set("\"'\\")
    assert all(ord(character) < 0x10000 for character in sent)


def test_entities_leave_tags_as_they_are() -> None:
    html = """<a href="x">don't</a> <b class='y'>"""
    assert with_entities(html) == """<a href="x">don&#039;t</a> <b class='y'>"""


# -- what a check says, and what people are told


def complaints(**changes: Any) -> dict[str, str]:
    findings = check_texts(a_manifest(**changes))
    return {finding.place: finding.wrong or f"! {finding.advice}" for finding in findings}


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({}, "operations.update", "does not send the title that text.sync names"),
        ({}, "operations.create", "! a leaf cuts the title at 80 characters"),
        ({"operations__create__body": {}}, "operations.create", "does not send the body"),
        ({"fields__body": {"path": "t", "as": "int"}}, "fields.body", "as: int is no text"),
        ({"text__body_max_length": 3}, "text.placeholder_body", "is longer than"),
        ({"fields__body": {"path": "t"}}, "operations.create", "every quote would change"),
        ({"text__sync": ["body"]}, "text.title_max_length", "! says nothing while"),
        ({"text__create_only": ["reply"]}, "text.create_only", "names reply, and text.sync"),
    ],
)
def test_words_that_cannot_travel_as_said_are_named(changes: Any, place: str, words: str) -> None:
    assert words in complaints(**changes)[place]


def test_title_that_is_taken_with_a_create_only_may_be_named_as_that() -> None:
    assert "operations.update" not in complaints(text__create_only=["title"])


@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.yaml")))
def test_shipped_manifests_carry_the_words_that_they_name(name: str) -> None:
    manifest = load_manifest(SHIPPED / f"{name}.yaml", Placeholders({}))
    assert [finding for finding in check_texts(manifest) if finding.wrong or finding.advice] == []
    assert manifest.text.sync


def test_description_says_what_travels_and_in_what_form() -> None:
    can = describe(a_manifest()).can
    assert can["title"] == (
        "to Wix, and outwards with a new rating only; plain text; at most 80 characters"
    )
    assert can["text"] == "both ways; HTML; never empty: '(none)' stands for no text"
    assert (can["reply of the shop"], can["pictures"]) == ("no", "no")
    assert describe(a_manifest(fields__media={"path": "images[].src"})).can["pictures"] == (
        "to Wix Reviews, with a new review only, where policy pictures=to_wix asks for it"
    )
    assert can["day it was written"] == "to Wix, with a new rating"
    assert describe(a_manifest(text={})).can["title"].startswith("not kept in step")


def test_pictures_are_read_as_addresses_at_a_path() -> None:
    document = {"id": 1, "product": "p", "stars": 4}
    manifest = a_manifest(fields__media={"path": "images[?!hidden].src"})
    assert manifest.capabilities.media
    images = [{"src": "https://a.example/1.jpg"}, {"src": "https://a.example/2", "hidden": True}]
    assert read_record(manifest, document | {"images": images}).media == (
        "https://a.example/1.jpg",
    )
    oddities: list[Any] = [None, "none", 5, {"src": "x"}, [None, {"src": {}}], [[images]]]
    for strange in oddities:
        assert read_record(manifest, document | {"images": strange}).media == ()
    assert read_record(a_manifest(), document | {"images": images}).media == ()


@pytest.mark.parametrize("more", [{"as": "int"}, {"required": True}, {"values": {"a": 1}}])
def test_pictures_take_a_path_alone(more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="media takes a path alone"):
        a_manifest(fields__media={"path": "images[].src"} | more)
