"""What is said to people: a fixed sentence with named values, in English until a page tells it.

A ``Said`` is its English text, so commands, programs and the ledger take it for any ``str``. It
keeps what it is made of, so that a page can ``tell`` it by the catalogue of another language. What
is put together by an f-string or ``+`` is plain English again; ``joined`` and ``sentence`` are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class Catalogue(Protocol):
    """The sentences of one language, by the English ones."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, one: str, many: str, num: int, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Form:
    """``text``: the fixed sentence, of one where there is ``many``; its values as ``%(name)s``.

    ``begins``: its first letter is a capital, as it begins a sentence.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    many: str = ""
    num: int = 0
    begins: bool = False

    def tell(self, catalogue: Catalogue) -> str:
        """In the language of the catalogue; values that are sentences, too."""
        # To catalogues the empty text is their own head.
        if not self.text:
            return ""
        if self.many:
            text = catalogue.ngettext(self.text, self.many, self.num)
        else:
            text = catalogue.gettext(self.text)
        if self.values:
            text = text % {name: _told(value, catalogue) for name, value in self.values.items()}
        return capital(text) if self.begins else text


class Said(str):
    """The English text; ``form``: what it is made of."""

    __slots__ = ("form",)
    form: Form

    def __new__(cls, english: str, form: Form) -> Said:
        made = super().__new__(cls, english)
        made.form = form
        return made

    def tell(self, catalogue: Catalogue) -> str:
        """In the language of the catalogue."""
        return self.form.tell(catalogue)

    def __deepcopy__(self, _known: object) -> Said:
        return self

    def __reduce__(self) -> tuple[type[Said], tuple[str, Form]]:
        return Said, (str(self), self.form)


def said(text: str, **values: object) -> Said:
    """``text``: fixed, with ``%(name)s`` for each value, and ``%%`` for a % beside values."""
    return Said(text % values if values else text, Form(text, values))


def marked(text: str) -> str:
    """A fixed sentence that is ``said`` elsewhere: for whoever gathers what is to be translated."""
    return text


def marked_many(one: str, many: str) -> tuple[str, str]:
    """The same of one and of many."""
    return one, many


def said_many(one: str, many: str, num: int, **values: object) -> Said:
    """About so many; ``num`` is a value, too."""
    values = {"num": num, **values}
    return Said((one if num == 1 else many) % values, Form(one, values, many, num))


def joined(separator: str, parts: Sequence[str]) -> Said:
    """Sentences, or parts of one, with the same between them in every language."""
    values = {f"part{place}": part for place, part in enumerate(parts)}
    places = "%(between)s".join(f"%({name})s" for name in values)
    return Said(separator.join(parts), Form(places, {"between": separator, **values}))


def sentence(message: str) -> str:
    """With a capital at its beginning."""
    if not isinstance(message, Said):
        return capital(message)
    form = message.form
    return Said(capital(message), Form(form.text, form.values, form.many, form.num, begins=True))


def within(title: str) -> str:
    """A title in the middle of an English sentence; other languages keep their own capitals."""
    if not title or title.startswith("Wix"):
        return title
    form = title.form if isinstance(title, Said) else Form(title)
    return Said(title[0].lower() + title[1:], form)


def capital(text: str) -> str:
    """The first letter alone."""
    return text[:1].upper() + text[1:]


def kept(message: str) -> Mapping[str, Any] | None:
    """What JSON keeps of it, to be said again; ``None``: it is plain text."""
    if not isinstance(message, Said):
        return None
    form = message.form
    values = {name: _kept_value(value) for name, value in form.values.items()}
    told: dict[str, Any] = {"english": str(message), "text": form.text, "values": values}
    if form.many:
        told |= {"many": form.many, "num": form.num}
    return told | ({"begins": True} if form.begins else {})


def said_again(told: Mapping[str, Any]) -> Said:
    """What was ``kept``."""
    values = {
        name: said_again(value) if isinstance(value, Mapping) else value
        for name, value in told.get("values", {}).items()
    }
    form = Form(
        str(told["text"]),
        values,
        str(told.get("many", "")),
        int(told.get("num", 0)),
        bool(told.get("begins", False)),
    )
    return Said(str(told["english"]), form)


def _kept_value(value: Any) -> Any:
    if isinstance(value, Said):
        return kept(value)
    return value if isinstance(value, int) else str(value)


def _told(value: object, catalogue: Catalogue) -> object:
    return value.tell(catalogue) if isinstance(value, Said) else value
