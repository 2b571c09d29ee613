"""YAML of anybody's hand: plain values, or the place of what is not taken, at a bound cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.files.yaml_file import BadYaml, read_yaml, yaml_value
from sync_worker.import_export.file_format import load_format
from sync_worker.manifest.loader import load_manifest

BOMB = "\n".join(
    [
        "a0: &a0 [x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
    ]
)
MERGES = "\n".join(
    [
        "a0: &a0 {k: 1}",
        *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)),
    ]
)
REFUSED: Mapping[str, tuple[str, str]] = {
    "double key": ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' stands on line 1 already"),
    "double key deep inside": (
        "a:\n  - {b: 1, 'b': 2}\n",
        "line 2, column 12: the key 'b' stands on line 2 already",
    ),
    "aliases of aliases": (BOMB, "line 6, column 25: has more than 100,000 parts, aliases counted"),
    "merges of merges": (MERGES, "line 6, column 20: has more than 100,000 parts, aliases counted"),
    "alias inside its list": ("a: &a [*a]", "line 1, column 8: the alias *a stands inside what it"),
    "alias inside its mapping": ("a: &a\n  b: *a", "line 2, column 6: the alias *a stands inside"),
    "tag of Python": (
        "a: !!python/object/apply:os.system [ls]",
        "line 1, column 4: the tag !!python/object/apply:os.system is not taken",
    ),
    "tag of one's own": ("a: 1\nb: !secret x", "line 2, column 4: the tag !secret is not taken"),
    "set": ("a: !!set {b}", "line 1, column 4: the tag !!set is not taken"),
    "depth": ("a: " + "[" * 150 + "]" * 150, "line 1, column 103: is nested deeper than 100"),
    "brackets without end": ("[" * 100_000, "line 1, column "),
    "thousands of digits": ("a: " + "1" * 100_000, "line 1, column 4: is a number of 100,000"),
    "thousands of sixties": ("\na: 1" + ":59" * 50_000, "line 2, column 4: is a number of 150,001"),
    "date that is none": ("a: 1\nb: 2001-99-99", "line 2, column 4: month must be in 1..12"),
    "tab": ("a:\n\tb: 1", "line 2, column 1: found character that cannot start any token"),
    "half a pair": ('a: "\\ud83d"', "line 1, column 7: found invalid Unicode character escape"),
    "NUL": ('a: "x\\0"', "line 1, column 4: 'x\\x00' has a NUL or half a character in it"),
    "control character": ("a: 1\nb: \x1b", "line 2: the character U+001B is not allowed"),
    "alias of nothing": ("a: *b", "line 1, column 4: found undefined alias"),
    "second document": ("a: 1\n---\nb: 2", "line 2, column 1: a second document begins here"),
    "list as a key": ("? [a]\n: b", "line 1, column 3: found unhashable key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_is_refused_with_its_place(name: str) -> None:
    text, words = REFUSED[name]
    with pytest.raises(BadYaml) as refusal:
        yaml_value(text)
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &a [1]\nb: *a", {"a": [1], "b": [1]}),
        ("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("1: a\n'1': b", {1: "a", "1": "b"}),
        ("a: !!str 5", {"a": "5"}),
        ("\ufeffa: 1".encode().decode("utf-8-sig"), {"a": 1}),
        ("", None),
    ],
)
def test_harmless_aliases_merges_and_tags_are_taken(text: str, value: object) -> None:
    assert yaml_value(text) == value


def test_file_of_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(BadYaml, match="line 2: is not UTF-8; save it as UTF-8"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "".join(f"a{n}: &b{n} 1\n" for n in range(15_000)),
        "? " * 60_000,
        "{a: " * 60_000,
        "a: '" + "x\n\n" * 60_000,
        "a: " + "&a " * 60_000,
        ("[" * 50 + "]" * 50 + ",\n") * 2_400,
        "- <<: &a {k: 1}\n" + "- <<: *a\n" * 20_000,
    ],
)
def test_hostile_file_costs_no_more_than_its_size(text: str) -> None:
    before = time.thread_time()
    with suppress(BadYaml):
        yaml_value(text)
    assert time.thread_time() - before < 2


def test_manifests_and_presets_refuse_alike(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("id: a\nid: b\n")
    said = "line 2, column 1: the key 'id' stands on line 1 already"
    for read in (lambda: load_manifest(path, {}), lambda: load_format(str(path))):
        with pytest.raises(Misconfigured) as refusal:
            read()
        assert said in str(refusal.value)
        assert str(path) in str(refusal.value)
