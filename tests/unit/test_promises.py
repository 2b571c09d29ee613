"""The twenty promises: what the manual says, what the command runs, and what the report makes of
it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.promises import PROMISES, Promise
from tests.chaos.report import PAGE_BEGIN, PAGE_END, read_results, renew_page, write_report

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/promises.md").read_text(encoding="utf-8")


def test_there_are_twenty_promises_each_with_a_test() -> None:
    assert [one.name for one in PROMISES] == [f"P{number}" for number in range(1, 21)]
    assert all(one.tests for one in PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.name)
def test_every_test_of_a_promise_is_in_its_file(promise: Promise) -> None:
    for test in promise.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.name)
def test_page_says_of_each_promise_its_words_its_tests_and_how_it_was_kept(
    promise: Promise,
) -> None:
    table = PAGE.partition(PAGE_BEGIN)[2].partition(PAGE_END)[0]
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {promise.name} |")]
    _, words, shown, last = (cell.strip() for cell in line.strip("|").split("|"))
    assert words == promise.words
    assert re.findall(r"`(test_\w+)`", shown) == [test.partition("::")[2] for test in promise.tests]
    assert re.match(r"kept, \d{4}-\d{2}-\d{2}, \d+ runs?", last), last


CLOCK = "test_worker_whose_clock_is_wrong_loses_and_doubles_nothing"
JUNIT = f"""<testsuites><testsuite>
<testcase classname="tests.chaos.test_clocks" name="{CLOCK}[postgres-10]" time="18.2">
<properties><property name="caught up after s" value="4.5"/></properties></testcase>
<testcase classname="tests.chaos.test_clocks" name="{CLOCK}[sqlite-10]" time="20.0">
<properties><property name="caught up after s" value="7.25"/></properties></testcase>
<testcase classname="tests.end_to_end.test_canary" name="test_no_secret_and_no_address_shows_after_real_work" time="9">
<failure message="x"/></testcase>
</testsuite></testsuites>"""


def test_report_tells_results_and_what_was_not_run(
    tmp_path: Path,
) -> None:
    """The report tells results, figures and what was not run and draws a chart."""
    pytest.importorskip("matplotlib")  # an environment for the quick tests alone has none
    (tmp_path / "results.xml").write_text(JUNIT)
    results = read_results(tmp_path / "results.xml")
    report = write_report(tmp_path, results, 60.0).read_text()
    assert f"| P15 | `{CLOCK}` | postgres-10 | passed | 18.2 | caught up after s: 4.5 |" in report
    assert (
        "| P17 | `test_no_secret_and_no_address_shows_after_real_work` | – | **failure** | 9.0 |"
        in report
    )
    assert "| P1 | – | | **not run** |" in report
    (chart,) = re.findall(r"!\[caught up after s\]\((.+)\)", report)
    assert "<svg" in (tmp_path / chart).read_text()


def test_page_is_renewed_between_its_marks_only(tmp_path: Path) -> None:
    (tmp_path / "results.xml").write_text(JUNIT)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{PAGE_BEGIN}yesterday\n{PAGE_END}after\n")
    renew_page(page, read_results(tmp_path / "results.xml"))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert "2 runs on sqlite and postgres; caught up after s: 4.5 to 7.2 |" in text
    assert "**broken**" in text


def test_command_refuses_a_promise_that_there_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--report", str(tmp_path), "--promise", "P21"])
    assert "P1 to P20" in capsys.readouterr().err
