"""A draft of a manifest from files that a person has, and from answers to questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from simplejson import JSONDecodeError

from sync_worker.core import exact_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import text_of
from sync_worker.files.yaml_file import BadYaml, read_yaml
from sync_worker.manifest.drafting.deliveries import Told, told_by
from sync_worker.manifest.drafting.draft import PLACES, Draft
from sync_worker.manifest.drafting.openapi import Proposal, proposed
from sync_worker.manifest.drafting.samples import Sample, leaves, sample_of
from sync_worker.manifest.signature_diagnosis import captured

MAX_BYTES = 16 * 2**20
T = TypeVar("T")


def drafted(
    name: str,
    file: str,
    *,
    record: Path,
    delivery: Path | None,
    base_url: str | None,
    auth: str | None,
    auth_header: str | None,
    from_openapi: Path | None,
    is_asked: bool,
) -> tuple[str, list[str]]:
    """The manifest, and what in it is a guess. Raises Misconfigured."""
    sample = _of_file(record, sample_of)
    proposal = None if from_openapi is None else _of_file(from_openapi, proposed)
    setting = name.upper().replace("-", "_")
    if is_asked:
        base_url = base_url or _asked_address(proposal)
        auth = auth or click.prompt(
            "How does it want our credentials?",
            type=click.Choice(["none", "bearer", "basic", "header"]),
            default="bearer",
            err=True,
        )
        sample = _asked_paths(sample)
    draft = Draft(
        name,
        sample,
        base_url
        or (proposal.base_url if proposal is not None else "")
        or "https://set-me.example.com",
        _auth(auth or "bearer", setting, auth_header),
        told=None if delivery is None else _told(delivery, setting, sample),
    )
    if proposal is not None:
        draft.propose(proposal.collection, proposal.operations)
    left = draft.left()
    if draft.base_url == "https://set-me.example.com":
        left.insert(0, "base_url: the address of the API is not known; --base-url names it")
    return draft.text(file), left


def _of_file(file: Path, read: Callable[[Any], T]) -> T:
    """What is read from a JSON or YAML file. Raises Misconfigured."""
    try:
        return read(_document(file))
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read ({error.strerror})") from None
    except (BadYaml, ValueError) as error:
        raise Misconfigured(f"{file}: {error}") from None


def _document(file: Path) -> Any:
    """Raises OSError, BadYaml, ValueError."""
    content = file.read_bytes()
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"it is larger than {MAX_BYTES // 2**20} MiB; cut it to what is about reviews"
        )
    text = text_of(content)
    # JSON is no YAML where a text has an emoji in PHP's spelling.
    if text.lstrip()[:1] in ("{", "["):
        return _json(text)
    return read_yaml(file)


def _json(text: str) -> Any:
    """Raises ValueError."""
    try:
        return exact_json.loads(text)
    except JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: is no JSON") from None


def _told(file: Path, setting: str, sample: Sample) -> Told:
    try:
        request = captured(file.read_bytes())
        return told_by(request, f"{setting}_WEBHOOK_SECRET", sample.value_at("id"))
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise Misconfigured(f"{file}: {error}") from None


def _auth(kind: str, setting: str, header: str | None) -> dict[str, Any]:
    if header is not None and kind != "header":
        raise Misconfigured("--auth-header goes with --auth header")
    match kind:
        case "none":
            return {"type": "none"}
        case "basic":
            user, password = {"env": f"{setting}_USER"}, {"env": f"{setting}_PASSWORD"}
            return {"type": "basic", "username": user, "password": password}
        case "header":
            secret = {"env": f"{setting}_TOKEN"}
            return {"type": "headers", "headers": {header or "X-Api-Key": secret}}
        case _:
            return {"type": "bearer", "token": {"env": f"{setting}_TOKEN"}}


def _asked_address(proposal: Proposal | None) -> str:
    default = proposal.base_url if proposal is not None else ""
    return str(click.prompt("Address of its API", default=default or None, err=True)).rstrip("/")


def _asked_paths(sample: Sample) -> Sample:
    """Ask for what a manifest needs and the sample does not show."""
    named: dict[str, str] = {}
    known = [path for path, _ in leaves(sample.record)]
    for name in sample.missing:
        click.echo(f"In the sample are: {', '.join(known)}", err=True)
        path = click.prompt(f"Where is the {PLACES[name]} ({name})?", default="", err=True)
        if path:
            named[name] = path
    return sample_of(sample.record, {**sample.paths, **named}) if named else sample
