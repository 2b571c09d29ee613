"""What a system really makes of words: written, read back, and beside stars that change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Draft, Record
from sync_worker.core.values.texts import BODY, TITLE, TextRule, normal_form, written
from sync_worker.doctor.measured import Measured, yes_no

SAID = (TITLE, BODY)
FIRST = 'It\'s a "test" \\ of <words> & signs: é 👍'
SECOND = 'It\'s "another" \\ with <more> & 👍🏽 signs'
SHOWN = 60


def words_of(remote: Remote, text: str) -> dict[str, str]:
    """The text, in the form of each of the words that a system takes with a new record."""
    return {name: _in_form(text, rule) for name, rule in _rules(remote).items() if rule.can_create}


def come_back(remote: Remote, record: Record, sent: Mapping[str, str]) -> Iterator[Measured]:
    """Whether a record shows what was written, but for what its normal form leaves out."""
    rules = _rules(remote)
    for name, text in sent.items():
        shown = record.words.get(name)
        is_alike = shown is not None and _says(text, rules[name]) == _says(shown, rules[name])
        seen = "yes" if is_alike else f"no: {text[:SHOWN]!r} became {(shown or '')[:SHOWN]!r}"
        key = f"text, fields.{name} and operations.create.body"
        yield Measured(f"the {name} comes back as it was written", "yes", seen, key=key)


def left_alone(before: Record, after: Record) -> Iterator[Measured]:
    """What an update of the stars makes of the words beside them."""
    if before.words:
        is_left = yes_no(before.words == after.words)
        key = "operations.update.body"
        yield Measured("new stars leave the words alone", "yes", is_left, key=key)


def updates(
    remote: Remote, remote_id: str, draft_of: Callable[[Decimal, Record], Draft]
) -> Iterator[Measured]:
    """Words alone, then the longest that is declared. ``draft_of``: with these stars, a record."""
    current = remote.get(remote_id)
    if current is None:
        return
    draft = draft_of(current.values["value"], current)
    for name, rule in _rules(remote).items():
        if not rule.can_update:
            continue
        texts = {"a changed": _in_form(SECOND, rule)}
        if rule.max_length is not None:
            texts["the longest"] = _longest(rule)
        for what, text in texts.items():
            after = _updated(remote, current, draft, name, text)
            yield from _of_update(name, rule, f"{what} {name}", (current, after), text)
            current = after


def _updated(remote: Remote, current: Record, draft: Draft, name: str, text: str) -> Record:
    words = {**current.words, name: text}
    changed = frozenset({name})
    draft = replace(draft, last=current.raw, words=words, changed=changed)
    return remote.update(current.remote_id, draft, current.revision)


def _of_update(
    name: str, rule: TextRule, what: str, both: tuple[Record, Record], text: str
) -> Iterator[Measured]:
    before, after = both
    shown = after.words.get(name, "")
    is_kept = _says(text, rule) == _says(shown, rule)
    seen = "yes" if is_kept else f"no: {len(text)} characters became {shown[:SHOWN]!r}"
    key = f"text.{name}_max_length" if what.startswith("the longest") else "operations.update.body"
    yield Measured(f"{what} is kept as written", "yes", seen, key=key)
    others = {other: said for other, said in before.words.items() if other != name}
    is_alone = before.values == after.values and all(
        after.words.get(other) == said for other, said in others.items()
    )
    yield Measured(f"{what} leaves stars and other words alone", "yes", yes_no(is_alone), key=key)


def _rules(remote: Remote) -> dict[str, TextRule]:
    words = remote.capabilities.words
    return {name: words[name] for name in SAID if name in words}


def _in_form(text: str, rule: TextRule) -> str:
    return written(text, rule, cuts=True)


def _longest(rule: TextRule) -> str:
    """As many characters as are declared, words among them, as a person writes."""
    most = rule.max_length or 0
    return ("words " * (most // 6 + 1))[: most - 1] + "!"


def _says(text: str, rule: TextRule) -> str:
    return normal_form(text, rule)
