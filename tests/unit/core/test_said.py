"""What is said to people is English text, and keeps what it is made of."""

from __future__ import annotations

import copy
import json
import re

from sync_worker.core.said import (
    capital,
    joined,
    kept,
    said,
    said_again,
    said_many,
    sentence,
    within,
)


class Shouting:
    """A language in which every fixed sentence is loud, and a value is as it was."""

    def gettext(self, message: str) -> str:
        places = re.split(r"(%\(\w+\)s)", message)
        return "".join(part if part.startswith("%(") else part.upper() for part in places)

    def ngettext(self, one: str, many: str, num: int) -> str:
        return self.gettext(one if num == 1 else many)


def test_sentence_with_values_is_english_text_and_is_told_anew() -> None:
    told = said("%(name)s waits", name="Ada")
    assert (told, json.dumps([told])) == ("Ada waits", '["Ada waits"]')
    assert told.tell(Shouting()) == "Ada WAITS"


def test_number_chooses_the_form_in_each_language() -> None:
    one, many = (said_many("%(num)s waits", "%(num)s wait", number) for number in (1, 2))
    assert (one, many) == ("1 waits", "2 wait")
    assert (one.tell(Shouting()), many.tell(Shouting())) == ("1 WAITS", "2 WAIT")


def test_sentence_in_a_sentence_is_told_with_it() -> None:
    both = joined("; ", [said("it waits"), "HTTP 503"])
    assert said("%(name)s: so", name=both).tell(Shouting()) == "IT WAITS; HTTP 503: SO"


def test_sentence_begins_with_a_capital_in_each_language() -> None:
    assert sentence(said("it waits")) == "It waits"
    assert sentence("it waits") == capital("it waits") == "It waits"


def test_title_within_a_sentence_is_small_in_english_alone() -> None:
    small = within("Nobody knows")
    assert small == "nobody knows"
    assert said("%(name)s", name=small).tell(Shouting()) == "NOBODY KNOWS"
    assert within("Wix knows") == "Wix knows"


def test_nothing_is_told_as_nothing() -> None:
    """To a catalogue the empty text is its own head."""
    assert joined(", ", []).tell(Shouting()) == ""


def test_what_json_keeps_is_said_again() -> None:
    told = joined(" ", [said_many("%(num)s waits", "%(num)s wait", 2), sentence(said("so it is"))])
    again = said_again(json.loads(json.dumps(kept(told))))
    assert (again, again.tell(Shouting())) == (told, told.tell(Shouting()))
    assert kept("HTTP 503") is None


def test_copies_keep_what_it_is_made_of() -> None:
    told = copy.deepcopy(said("it waits"))
    assert told.tell(Shouting()) == "IT WAITS"
