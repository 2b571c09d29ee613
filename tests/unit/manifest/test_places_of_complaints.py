"""A manifest that is refused: where in its file, what stood there, what may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import load_manifest
from sync_worker.manifest.source.resolving import Placeholders

HEAD = """version: 1
id: ours
base_url: https://ratings.example.com
key: {id: {path: id}}
fields:
  entity: {path: product}
  value: {path: stars, as: decimal}
scale: {min: 1, max: 5}
"""
OPERATIONS = """operations:
  get: {method: GET, path: "/r/{key.id}"}
  list:
    method: GET
    path: /r
"""


def refusal_of(folder: Path, text: str, name: str = "ours.yaml") -> str:
    file = folder / name
    file.write_text(text)
    with pytest.raises(Misconfigured) as refusal:
        load_manifest(file, Placeholders({}))
    return str(refusal.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            HEAD + OPERATIONS + "    itemspath: rows\n",
            "ours.yaml, line 14, column 5: unknown key 'operations.list.itemspath';"
            " did you mean 'items_path'?",
        ),
        (
            HEAD + OPERATIONS + "    items_path: rows[\n",
            "ours.yaml, line 14, column 5: operations.list.items_path: 'rows[' is no JMESPath:",
        ),
        (
            HEAD + OPERATIONS + "    query: {since: {from: ratng.value}}\n",
            "ours.yaml, line 14, column 5: operations.list.query: 'ratng.value' starts with none",
        ),
        (
            HEAD + OPERATIONS + "states: {read: {live: publsihed}}\n",
            "ours.yaml, line 14, column 17: states.read.live: is one of 'published'",
        ),
        (
            HEAD.replace("  entity: {path: product}\n", "") + OPERATIONS,
            "ours.yaml, line 5, column 1: fields.entity: is missing",
        ),
        (HEAD, "ours.yaml: there is no way in"),
    ],
)
def test_refusal_names_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal_of(tmp_path, text)


def test_what_is_inherited_is_found_in_the_file_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + OPERATIONS + "    items_path: 'a b'\n")
    refusal = refusal_of(tmp_path, "extends: base\nid: shop\n", "shop.yaml")
    assert refusal.startswith("base.yaml, line 14, column 5: operations.list.items_path")
    both = "extends: base\nid: shop\noperations:\n  list: {items_path: 'b c'}\n"
    refusal = refusal_of(tmp_path, both, "shop.yaml")
    assert refusal.startswith("shop.yaml, line 4, column 10: operations.list.items_path: 'b c'")


@pytest.mark.parametrize(
    ("section", "line", "advice"),
    [
        ("fields:\n  ", "reviion: {path: v}", "did you mean 'revision'?"),
        ("", "stars: 5", "known here: account_identity, allow_private_hosts, allowed_hosts"),
        (
            "",
            "items_path: r",
            "it belongs to another section: operations.probe, operations.get, operations.find",
        ),
        (
            "fields:\n  ",
            "total_path: n",
            "it belongs to another section: operations.probe.pagination, ",
        ),
    ],
)
def test_meant_is_only_what_is_within_reach(
    tmp_path: Path, section: str, line: str, advice: str
) -> None:
    """And only in the section where it stands; else it says where the key belongs."""
    text = HEAD + OPERATIONS + f"{line}\n"
    if section:
        text = (HEAD + OPERATIONS).replace("fields:\n", f"{section}{line}\n")
    assert advice in refusal_of(tmp_path, text)


@pytest.mark.parametrize(
    ("word", "read_as"),
    [("no", "False"), ("0123", "83"), ("1:30", "90"), ("2026-01-02", "2026-01-02"), ("~", "empty")],
)
def test_text_that_yaml_reads_as_something_else_wants_quotes(
    tmp_path: Path, word: str, read_as: str
) -> None:
    """YAML 1.1, which is what Python reads: https://yaml.org/type/bool.html"""
    refusal = refusal_of(tmp_path, HEAD.replace("id: ours", f"id: {word}") + OPERATIONS)
    assert refusal == (
        f"ours.yaml, line 2, column 1: id: is a text, and YAML reads this as {read_as};"
        " put it in quotes: '…'"
    )


HEADERS = [
    ("auth: {type: headers, headers: {X Token: {env: T}}}", "auth.headers.X Token"),
    ("auth: {type: hmac_request, header: 'X-Sig:', secret: {env: T}}", "auth.header"),
    ("http: {headers: {'X Shop': a}}", "http.headers.X Shop"),
    ("http: {backoff: {after_header: 'Retry After'}}", "http.backoff.after_header"),
    (OPERATIONS + "    headers: {' Accept': a}", "operations.list.headers. Accept"),
    (
        OPERATIONS + "    errors: [{status: [404], header: 'X Y', equals: a, outcome: gone}]",
        "operations.list.errors.0.header",
    ),
]


@pytest.mark.parametrize(("lines", "place"), HEADERS, ids=[place for _, place in HEADERS])
def test_header_that_no_request_can_have_is_refused(tmp_path: Path, lines: str, place: str) -> None:
    text = HEAD + lines + "\n" + ("" if "operations" in lines else OPERATIONS)
    refusal = refusal_of(tmp_path, text)
    assert f"{place}: " in refusal
    assert "is no name of a header: it has " in refusal


def test_headers_of_webhooks_are_names_of_headers(tmp_path: Path) -> None:
    hook = """webhook:
  verify: [{type: VERIFY}]
  event: {EVENT}
  events: [{match: a, change: upsert}]
  key: {id: id}
"""
    for verify, event, place in (
        ("hmac, header: X Sig, secret: {env: T}", "path: event", "verify.0.header"),
        ("static_header, header: '', secret: {env: T}", "path: event", "verify.0.header"),
        ("jwt, source: header, name: X Jwt, key: {env: T}", "path: event", "verify.0"),
        ("url_token, secret: {env: T}", "header: X Event", "event.header"),
    ):
        text = HEAD + OPERATIONS + hook.replace("VERIFY", verify).replace("EVENT", event)
        refusal = refusal_of(tmp_path, text)
        assert f": webhook.{place}: " in refusal
        assert " is no name of a header: " in refusal


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        ("ours", "extends: ours is this manifest itself; name another one that stands beside it"),
        ("../theirs", "extends: no manifest stands at '../theirs'; name a connector that ships"),
        ("theirs.yaml", "extends: 'theirs.yaml' is a file's name; write theirs"),
        ("theirs", "there is no connector 'theirs'; shipped are: "),
    ],
)
def test_parent_that_cannot_be_one_is_refused(tmp_path: Path, parent: str, words: str) -> None:
    assert words in refusal_of(tmp_path, f"extends: {parent}\nid: ours\n")
