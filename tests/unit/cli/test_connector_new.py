"""``connector new``: a skeleton or a draft, and clear words where a sample cannot be used."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync_worker.cli.commands import cli

RECORD = {"id": 12, "product_id": "S", "stars": 4, "author": {"email": "ada@example.com"}}


def run(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["connector", *arguments], input=answers)


@pytest.fixture
def sample(tmp_path: Path) -> str:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(RECORD))
    return str(file)


def test_draft_passes_the_check(tmp_path: Path, sample: str) -> None:
    out = str(tmp_path / "acme.yaml")
    made = run("new", "acme", "--record", sample, "--base-url", "https://a.example", "--out", out)
    assert made.exit_code == 0, made.output
    assert "operations: those of a REST API of the usual form" in made.output
    checked = run("check", out)
    assert checked.exit_code == 0, checked.output


def test_draft_without_an_address_says_so(sample: str) -> None:
    made = run("new", "acme", "--record", sample, "--auth", "header", "--auth-header", "X-Key")
    assert "! base_url: the address of the API is not known" in made.output
    assert "X-Key: {env: ACME_TOKEN}" in made.output


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("not json: [", "sample.json"), ("[]", "holds no record"), ("7", "holds no record")],
)
def test_sample_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "sample.json"
    file.write_text(text)
    made = run("new", "acme", "--record", str(file))
    assert made.exit_code != 0
    assert wrong in str(made.exception or made.output) + made.output
    assert "Traceback" not in made.output


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sample_with_an_emoji_in_php_s_spelling_is_json(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps({**RECORD, "text": "gut \U0001f600"}), encoding=encoding)
    made = run("new", "acme", "--record", str(file))
    assert made.exit_code == 0, made.output
    assert "\U0001f600" in made.output


ABSURD = ["1e20000000", "-1e100000000", "9" * 5_000, "1." + "9" * 50_000, "1e-20000000"]


@pytest.mark.parametrize("number", ABSURD, ids=lambda number: number[:12])
@pytest.mark.parametrize("place", ["stars", "id", "version"])
def test_absurd_number_in_a_sample_costs_nothing(tmp_path: Path, place: str, number: str) -> None:
    """As in an answer: kept as the text that it is, and never written with all its digits."""
    file = tmp_path / "sample.json"
    file.write_text(
        json.dumps({**RECORD, place: 0}).replace(f'"{place}": 0', f'"{place}": {number}')
    )
    before = time.process_time()
    made = run("new", "acme", "--record", str(file))
    assert time.process_time() - before < 2
    assert made.exit_code == 0, made.output
    assert len(made.output) < 3 * len(number) + 10_000  # an id stands in more than one place


def test_sample_nested_without_end_is_read_to_a_depth(tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(RECORD)[:-1] + ', "deep": ' + "[" * 50_000 + "]" * 50_000 + "}")
    made = run("new", "acme", "--record", str(file))
    assert made.exit_code == 0, made.output


def test_draft_needs_a_record(tmp_path: Path) -> None:
    file = tmp_path / "d.http"
    file.write_text("POST / HTTP/1.1\n\n{}")
    made = run("new", "acme", "--delivery", str(file))
    assert made.exit_code != 0
    assert "--record is needed" in str(made.exception) + made.output
