"""``.env`` as people write it: quotes, comments, a PEM pasted as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import text_of

# A PEM pasted into .env as it is; only a value in quotes may go over several lines.
PASTED_PEM = re.compile(
    r"^([ \t]*(?:export\s+)?\w+\s*=\s*)"
    r"(-----BEGIN [A-Z ]+-----[ \t]*\n[^\"'\\]+?-----END [A-Z ]+-----)[ \t]*$",
    re.M,
)


def read_env_file(
    file: Path, is_ours: Callable[[str], bool], may_be_empty: Callable[[str], bool]
) -> dict[str, str]:
    """The names of a file with their values.

    ``is_ours``: of such a name a line that cannot be read is told; ``may_be_empty``: such a name
    says something without a value, too. Raises Misconfigured.
    """
    text = PASTED_PEM.sub(r"\1'\2'", _text_of(file).replace("\r\n", "\n"))
    for line in parse_stream(StringIO(text)):
        # Lines of others are theirs; one of ours must not be left out without a word.
        if line.error and is_ours(_name_in(line.original.string)):
            raise Misconfigured(
                f"{file.absolute()}, line {line.original.line}: not in the form NAME=value, or a"
                " quote has no end"
            )
    values = dotenv_values(stream=StringIO(text))
    return {
        name: value or ""
        for name, value in values.items()
        if value or (value is not None and may_be_empty(name))
    }


def _text_of(file: Path) -> str:
    try:
        return text_of(file.read_bytes())
    except OSError as error:
        raise Misconfigured(f"cannot read {file.absolute()} ({error.strerror})") from None
    except ValueError:
        raise Misconfigured(f"{file.absolute()} is no text (UTF-8)") from None


def _name_in(line: str) -> str:
    name = re.match(r"\s*(?:export\s+)?(\w+)", line)
    return "" if name is None else name[1]
