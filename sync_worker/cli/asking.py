"""Questions before what cannot be taken back.

Asked on a terminal, answered by an option elsewhere.
"""

from __future__ import annotations

import sys

import click

from sync_worker.core.errors import Misconfigured


def agree(question: str, option: str, *, is_given: bool) -> None:
    """Go on if a person says yes, or has said so by the option. Raises Misconfigured, click.Abort.

    A program has nobody to answer, and a script that waits for an answer waits for ever.
    """
    if is_given:
        return
    if not sys.stdin.isatty():
        raise Misconfigured(f"{question} Nobody is here to answer; say it with {option}")
    click.confirm(question, default=False, abort=True, err=True)
