"""What somebody asks for on the pages of held ones: the filters of their address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import g, request, url_for
from werkzeug.exceptions import NotFound

from sync_console.web.numbers import MAX_NUMBER, number_in
from sync_console.web.parts import parts
from sync_console.web.words import marked as _
from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import HOLD_REASONS
from sync_worker.core.values import Side

if TYPE_CHECKING:
    from sync_worker.services.held.held import HeldFilter

MAX_WORD = 320
SIDES = {"wix": _("from Wix"), "external": _("from outside")}
AGES = {"1": _("over a day old"), "7": _("over 7 days old"), "30": _("over 30 days old")}
FILTERS = ("site", "side", "age", "person", "product")


def asked() -> Mapping[str, str]:
    """The filters of this page, or of the form that came from it."""
    given = request.form if request.method == "POST" else request.args
    words = {name: given.get(name, "").strip()[:MAX_WORD] for name in FILTERS}
    return {name: word for name, word in words.items() if word}


def filter_of(reason: str | None = None, numbers: list[int] | None = None) -> HeldFilter:
    """Of this page; an owner's is of their own site. Raises NotFound for a site that is not."""
    words = asked()
    side, age = words.get("side", ""), words.get("age", "")
    try:
        return parts().held_parts.held.filter(
            g.who,
            reason,
            site_id=_site_in(words),
            side=Side(side) if side in SIDES else None,
            older_days=int(age) if age in AGES else None,
            person=words.get("person", ""),
            product=words.get("product", ""),
            numbers=numbers,
        )
    except Misconfigured as unknown:
        raise NotFound(unknown.message) from None


def refuse_unknown(reason: str) -> None:
    """Raises NotFound for a word that no version gives, and that nothing is held for."""
    if reason in HOLD_REASONS or parts().held_parts.held.groups(g.who, filter_of(reason)):
        return
    raise NotFound(_("Nothing is held for such a reason."))


def group_url(reason: str) -> str:
    """The page of a reason with the same filters."""
    words = urlencode(asked())
    return url_for("held.group", reason=reason) + (f"?{words}" if words else "")


def after() -> int:
    """Behind which number the page begins."""
    return number_in(request.args.get("after", ""), MAX_NUMBER) or 0


def _site_in(words: Mapping[str, str]) -> int | None:
    """Raises NotFound: a filter that nobody can read must not mean all sites."""
    word = words.get("site", "")
    number = number_in(word)
    if word and number is None:
        raise NotFound
    return number
