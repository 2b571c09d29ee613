"""``python -m tests.chaos --report DIR`` runs the tests of P1 to P20, in the long form, on both
databases.

It writes DIR/report.md with its charts. Status 0 only if every promise was kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.chaos.promises import PROMISES
from tests.chaos.report import is_kept, read_results, renew_page, results_of, write_report

ROOT = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--report",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for report.md and its charts",
    )
    parser.add_argument(
        "--short", action="store_true", help="the form that runs with all other tests"
    )
    parser.add_argument(
        "--promise", action="append", metavar="P1", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--renew-page", action="store_true", help="write the results into docs/promises.md too"
    )
    options = parser.parse_args(arguments)
    chosen = [one for one in PROMISES if options.promise is None or one.name in options.promise]
    if not chosen:
        parser.error(
            f"there is no such promise; there are {PROMISES[0].name} to {PROMISES[-1].name}"
        )
    if options.renew_page and len(chosen) < len(PROMISES):
        parser.error("--renew-page needs all promises: leave out --promise")
    options.report.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    file = (options.report / "results.xml").absolute()
    run_tests(
        list(dict.fromkeys(test for one in chosen for test in one.tests)),
        file,
        is_short=options.short,
    )
    results = read_results(file)
    report = write_report(options.report, results, time.monotonic() - started)
    if options.renew_page:
        renew_page(ROOT / "docs" / "promises.md", results)
    broken = [one.name for one in chosen if not is_kept(results_of(one, results))]
    print(f"{report}: {'all promises kept' if not broken else 'broken: ' + ', '.join(broken)}")  # noqa: T201 - a command
    return 1 if broken else 0


def run_tests(tests: list[str], file: Path, *, is_short: bool) -> None:
    """One after the other: they need the machine to themselves."""
    which = "not long" if is_short else "long or not long"  # pytest alone leaves out the long form
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-o",
        "junit_family=xunit1",
        f"--junit-xml={file}",
    ]
    subprocess.run([*pytest, "--timeout", "3600", "-m", which, *tests], cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main())
