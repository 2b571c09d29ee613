"""Each language of the console is complete: every message of pages, with its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from sync_console.web.words import FOLDER, SOURCE, languages

PARAMETER = re.compile(r"%\(\w+\)[sd]")
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
    keywords = {**DEFAULT_KEYWORDS, "marked": None}
    found = extract_from_dir(FOLDER.parent, methods, options, keywords)
    return frozenset(forms(said) for _file, _line, said, _notes, _context in found)


def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def translated(language: str) -> Mapping[Forms, Forms]:
    """By message; what is uncertain or empty counts as not translated."""
    known = {forms(one.id): one for one in catalogue(language) if one.id}
    return {
        said: forms(one.string)
        for said, one in known.items()
        if not one.fuzzy and all(forms(one.string))
    }


@pytest.mark.parametrize("language", set(languages()) - {SOURCE})
def test_every_message_is_translated_and_nothing_besides(language: str) -> None:
    assert len(messages()) > 500
    assert set(translated(language)) == messages()
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", set(languages()) - {SOURCE})
def test_translations_have_the_parameters_of_their_message(language: str) -> None:
    """The form for one may leave the number out; a parameter of no message would be an error."""
    wrong = {}
    for said, told in translated(language).items():
        asked = set(PARAMETER.findall(" ".join(said)))
        has = [set(PARAMETER.findall(text)) for text in told]
        if has[-1] != set(PARAMETER.findall(said[-1])) or not all(one <= asked for one in has):
            wrong[said] = told
    assert wrong == {}


@pytest.mark.parametrize("language", set(languages()) - {SOURCE})
def test_translations_begin_and_end_as_their_message(language: str) -> None:
    """Some are put together with what follows them; a sentence stays one."""
    wrong = {
        said: told
        for said, told in translated(language).items()
        if said[0].endswith((" ", ".", ":")) and told[0][-1] != said[0][-1]
    }
    assert wrong == {}


def test_german_is_there() -> None:
    assert "de" in languages()
