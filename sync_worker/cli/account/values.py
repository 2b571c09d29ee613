"""Where the values of an account come from: options, files, standard input, a person.

A secret on the command line stands in the list of processes and in the shell's history: it is
taken, with a warning. A person types it unseen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import bare, text_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec

STDIN = "-"
MAX_BYTES = 1_048_576


def value_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The three ways to give values without a person."""
    for option in (
        click.option(
            "--values",
            "document_file",
            metavar="FILE",
            help="A JSON object of names and values; - is standard input.",
        ),
        click.option(
            "--from-file",
            "files",
            multiple=True,
            metavar="NAME=PATH",
            help="A value from a file, the way for secrets; - is standard input.",
        ),
        click.option(
            "--set",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="A value that is no secret. May be given several times.",
        ),
    ):
        command = option(command)
    return command


def given_values(
    manifest: Manifest, pairs: Sequence[str], files: Sequence[str], document: str | None
) -> dict[str, str]:
    """What the options give. Raises Misconfigured."""
    _refuse_two_readers(files, document)
    values = _of_document(document) if document is not None else {}
    values |= {name: _of_file(name, path) for name, path in map(_pair, files)}
    typed = dict(map(_pair, pairs))
    _warn_of_seen(manifest, typed)
    return values | typed


def asked(manifest: Manifest, names: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """What a person answers, for those of the names that nothing was given for."""
    wanted = [spec for spec in manifest.settings if spec.name in names and spec.name not in given]
    if not wanted or not sys.stdin.isatty():
        return {}
    answers = {spec.name: _answer(spec) for spec in wanted}
    return {name: text for name, text in answers.items() if text}


def _answer(spec: SettingSpec) -> str:
    """Asked again until it can be. A secret is not shown."""
    click.secho(spec.title, bold=True, err=True)
    for line in filter(None, (spec.help, f"such as {spec.example}" if spec.example else "")):
        click.echo(f"  {line}", err=True)
    if spec.choices:
        click.echo(f"  one of {', '.join(spec.choices)}", err=True)
    is_needed = spec.required and spec.default is None
    while True:
        text = bare(
            click.prompt(
                f"  {spec.name}" + ("" if is_needed else " (may be empty)"),
                default=spec.default_text or ("" if not is_needed else None),
                show_default=spec.default is not None,
                hide_input=spec.kind == "secret",
                err=True,
            )
        )
        problem = spec.problem_of(text) if text else ""
        if not problem and (text or not is_needed):
            return text
        click.secho(f"  it {problem or 'is needed'}", err=True, fg="red")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # Not the text itself: somebody may have meant a secret.
        raise click.UsageError("a value is given as NAME=VALUE, a file as NAME=PATH")
    return name.strip(), value


def _refuse_two_readers(files: Sequence[str], document: str | None) -> None:
    readers = [document, *(file.partition("=")[2] for file in files)]
    if readers.count(STDIN) > 1:
        raise click.UsageError("standard input can be read once: name it once")


def _of_file(name: str, path: str) -> str:
    shown = "standard input" if path == STDIN else path
    try:
        text = bare(text_of(_bytes_of(path)))
    except ValueError:
        raise Misconfigured(f"{name[:64]}: {shown} is no text (UTF-8)") from None
    if not text:
        raise Misconfigured(f"{name[:64]}: {shown} is empty; write the value into it")
    return text


def _of_document(path: str) -> dict[str, str]:
    try:
        values = json.loads(text_of(_bytes_of(path)), object_pairs_hook=_once)
    except ValueError as error:
        reason = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Misconfigured(f"--values: {path} is no JSON (UTF-8){reason}") from None
    except RecursionError:
        raise Misconfigured(f"--values: {path} is nested too deeply") from None
    if not isinstance(values, dict):
        raise Misconfigured(
            f'--values: {path} is no JSON object such as {{"base_url": "https://…"}}'
        )
    texts = {}
    for name, value in values.items():
        text = _as_text(value)
        if text is None:
            raise Misconfigured(f"--values: {name[:64]} is no text, number, true, false or null")
        texts[name] = text
    return texts


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises Misconfigured for a name that it has twice."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise Misconfigured(f"--values: {name[:64]} is given twice")
        values[name] = value
    return values


def _as_text(value: Any) -> str | None:
    """A value of JSON as a shop would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int) else None


def _bytes_of(path: str) -> bytes:
    """Raises Misconfigured."""
    if path == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            raise Misconfigured(f"{path} cannot be read ({reason})") from None
    if len(data) > MAX_BYTES:
        raise Misconfigured(f"{path} is larger than {MAX_BYTES:,} bytes")
    return data


def _warn_of_seen(manifest: Manifest, typed: Mapping[str, str]) -> None:
    secrets = [spec.name for spec in manifest.settings if spec.kind == "secret"]
    if seen := sorted(set(secrets) & set(typed)):
        click.secho(
            f"{', '.join(seen)}: a secret on the command line stands in the list of processes and"
            " in the shell's history; give it by --from-file NAME=PATH, or type it when asked",
            err=True,
            fg="yellow",
        )
