"""Each language of the console is complete: every message of pages, with its parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from sync_console.web.words import FOLDER, SOURCE, languages
from sync_worker.core.hold_reasons import HOLD_REASONS
from sync_worker.files.yaml_file import read_yaml
from sync_worker.services.sites.questions import QUESTIONS
from sync_worker.services.sites.sites import TROUBLE_WORDS

WORKER = FOLDER.parents[1] / "sync_worker"
# What says something in English that pages may say otherwise.
SAID_BY = {"said": None, "marked": None, "said_many": (1, 2), "marked_many": (1, 2)}
PARAMETER = re.compile(r"%\(\w+\)[sd]")
QUOTED = re.compile(r"`[^`]+`")
Forms = tuple[str, ...]


def forms(text: str | list[str] | tuple[str, ...] | None) -> Forms:
    """One form, or one for each number."""
    return (text,) if isinstance(text, str) else tuple(text or ())


@cache
def messages() -> frozenset[Forms]:
    """All that the pages may say."""
    with (FOLDER / "babel.cfg").open(encoding="utf-8") as config:
        parsed: Any = parse_mapping_cfg(config)  # type: ignore[no-untyped-call]  # of Babel
        methods, options = parsed
    found = extract_from_dir(FOLDER.parent, methods, options, {**DEFAULT_KEYWORDS, **SAID_BY})
    return frozenset(forms(said) for _file, _line, said, _notes, _context in found)


@cache
def made_of_values() -> frozenset[Forms]:
    """All that services put together of a fixed sentence and values."""
    found = extract_from_dir(WORKER, [("**.py", "python")], {}, SAID_BY)
    return frozenset(forms(said) for _file, _line, said, _notes, _context in found)


def of_services() -> frozenset[Forms]:
    """The sentences that pages get from services, but for those that pages say, too."""
    reasons = HOLD_REASONS.values()
    said = [one for pair in TROUBLE_WORDS.values() for one in pair]
    said += [text for one in reasons for text in (one.title, one.sentence)]
    said += [text for one in reasons for text in (one.advice, one.frees_itself)]
    for question in QUESTIONS.values():
        said += [question.words, *(answer.words for answer in question.answers)]
    for file in (WORKER / "connectors").glob("*.yaml"):
        asked = read_yaml(file).get("settings", [])
        said += [one[part] for one in asked for part in ("title", "help") if one.get(part)]
    return (made_of_values() | frozenset((text,) for text in said)) - messages()


SAID: Mapping[str, Callable[[], frozenset[Forms]]] = {"messages": messages, "services": of_services}
EACH = pytest.mark.parametrize(
    ("language", "name"), [(one, name) for one in languages() if one != SOURCE for name in SAID]
)


def catalogue(language: str, name: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / f"{name}.po").open("rb") as file:
        return read_po(file, locale=language)


def translated(language: str, name: str) -> Mapping[Forms, Forms]:
    """By message; what is uncertain or empty counts as not translated."""
    known = {forms(one.id): one for one in catalogue(language, name) if one.id}
    return {
        said: forms(one.string)
        for said, one in known.items()
        if not one.fuzzy and all(forms(one.string))
    }


@EACH
def test_every_message_is_translated_and_nothing_besides(language: str, name: str) -> None:
    assert len(SAID[name]()) > 200
    assert set(translated(language, name)) == SAID[name]()
    assert not catalogue(language, name).obsolete


def test_no_message_is_asked_for_inside_an_f_string() -> None:
    """Babel finds those from Python 3.12 on alone: the catalogue would hang on who extracted."""
    names = {"_", "gettext", "ngettext", *SAID_BY}
    found = [
        f"{file.name}:{call.lineno}"
        for file in [*FOLDER.parent.rglob("*.py"), *WORKER.rglob("*.py")]
        for text in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names
    ]
    assert found == []


@EACH
def test_translations_have_the_parameters_of_their_message(language: str, name: str) -> None:
    """The form for one may leave the number out; a parameter of no message would be an error."""
    wrong = {}
    for said, told in translated(language, name).items():
        asked = set(PARAMETER.findall(" ".join(said)))
        has = [set(PARAMETER.findall(text)) for text in told]
        if has[-1] != set(PARAMETER.findall(said[-1])) or not all(one <= asked for one in has):
            wrong[said] = told
    assert wrong == {}


@EACH
def test_translations_begin_and_end_as_their_message(language: str, name: str) -> None:
    """Some are put together with what follows them; a sentence stays one."""
    wrong = {
        said: told
        for said, told in translated(language, name).items()
        if said[0].endswith((" ", ".", ":", "?")) and told[0][-1] != said[0][-1]
    }
    assert wrong == {}


@EACH
def test_what_is_between_back_quotes_stays_as_it_is(language: str, name: str) -> None:
    """Commands, settings and policies are called the same in every language."""
    wrong = {
        said: told
        for said, told in translated(language, name).items()
        if set(QUOTED.findall(said[0])) != set(QUOTED.findall(told[0]))
    }
    assert wrong == {}


def test_german_is_there() -> None:
    assert "de" in languages()
