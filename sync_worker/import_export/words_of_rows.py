"""What a row of a file says in words, as Wix takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.errors import Held
from sync_worker.core.plan import TOO_LONG
from sync_worker.core.values import LongWords, Side
from sync_worker.core.values.texts import TooLong, written
from sync_worker.engine.view import View


def words_for(view: View, attribute: str, said: Mapping[str, str]) -> dict[str, str]:
    """The words that go with an attribute, none with all but the main one. Raises Held."""
    rules = view.capabilities[Side.WIX].words
    if attribute != view.carried.main:
        return {}
    cuts = view.run.site.policy.too_long is LongWords.TRUNCATE
    words = {}
    for name, text in said.items():
        rule = rules.get(name)
        if rule is None or not rule.can_create:
            continue
        try:
            words[name] = written(text, rule, cuts=cuts)
        except TooLong as too_long:
            raise Held(TOO_LONG, f"the {name} has {too_long}") from None
    return words
