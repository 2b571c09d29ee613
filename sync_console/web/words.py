"""Words of pages: gettext over the catalogues in ``locale/``, times, and addresses in part.

English is the source. A catalogue is two files in ``locale/<language>/LC_MESSAGES/``, read as they
are: ``messages.po`` has what pages say, ``services.po`` the sentences that they get from services.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale
from babel.dates import format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, request
from markupsafe import Markup, escape

from sync_console.web.parts import session_of_request
from sync_console.web.programs import is_program
from sync_console.web.sessions import LANGUAGE_COOKIE
from sync_worker.core.said import Said, capital
from sync_worker.services.access.masking import masked

FOLDER = Path(__file__).parents[1] / "locale"
SOURCE = "en"


@lru_cache
def languages() -> tuple[str, ...]:
    """With a catalogue, and the source."""
    return SOURCE, *sorted(
        path.parents[1].name for path in FOLDER.glob("*/LC_MESSAGES/messages.po")
    )


def language() -> str:
    """Of this request: as somebody chose it; else an owner's as Wix says, and as the browser says.

    Programs are told everything in English.
    """
    if "language" not in g and is_program():
        g.language = SOURCE
    if "language" not in g:
        session = session_of_request()
        wanted = request.cookies.get(LANGUAGE_COOKIE, "") or (session.locale if session else "")
        wanted = wanted or request.args.get("locale", "")
        wanted = wanted.replace("_", "-").partition("-")[0].lower()
        known = languages()
        found = wanted if wanted in known else request.accept_languages.best_match(known)
        g.language = found or SOURCE
    return str(g.language)


def other_languages() -> list[tuple[str, str]]:
    """Each with what it calls itself."""
    return [
        (one, Locale(one).get_language_name(one) or one) for one in languages() if one != language()
    ]


def here_again() -> str:
    """The page to go back to: one that a form led to has no address of its own."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"


def gettext(message: str) -> str:
    """A fixed sentence, or what services have said: both in the language of this request."""
    if not message or language() == SOURCE:
        return str(message)
    if isinstance(message, Said):
        return message.tell(_catalogue(language()))
    return _catalogue(language()).gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    return _catalogue(language()).ngettext(one, many, count)


def shown(message: str, **values: object) -> Markup | str:
    """A text of a page, with values in it. Also one that is put together: it may hold anything."""
    text = gettext(message)
    return escape(text) % values if values else text


def shown_many(one: str, many: str, num: int, **values: object) -> Markup:
    """A text of a page about so many; ``num`` is a value of it."""
    return escape(ngettext(one, many, num)) % {"num": num, **values}


def foreign(message: str) -> Markup | str:
    """What services have said; what only English is known of says so to whoever reads it aloud.

    https://www.w3.org/TR/WCAG22/#language-of-parts
    """
    told = gettext(message)
    if language() == SOURCE or isinstance(message, Said) or told != message or not message:
        return told
    return Markup('<span lang="{}">{}</span>').format(SOURCE, told)


def marked(message: str) -> str:
    """A text that is translated where it is shown."""
    return message


@lru_cache
def _catalogue(name: str) -> NullTranslations:
    found = NullTranslations()
    for file in (FOLDER / name / "LC_MESSAGES").glob("*.po"):
        compiled = io.BytesIO()
        with file.open("rb") as opened:
            write_mo(compiled, read_po(opened, locale=name))
        compiled.seek(0)
        read = GNUTranslations(compiled)
        read.add_fallback(found)
        found = read
    return found


def when(at: datetime | float | None) -> Markup | str:
    """A time in relative words, with UTC where the pointer rests; a dash for none."""
    if at is None:
        return "–"
    moment = datetime.fromtimestamp(at, UTC) if isinstance(at, (int, float)) else at
    moment = moment.astimezone(UTC)
    told = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    ago = format_timedelta(
        moment - datetime.now(UTC), add_direction=True, locale=language(), threshold=1.2
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), told, ago
    )


def _finalized(value: object) -> object:
    return gettext(value) if isinstance(value, Said) else value


def init_app(app: Flask) -> None:
    app.jinja_env.add_extension("jinja2.ext.i18n")
    install = app.jinja_env.install_gettext_callables  # type: ignore[attr-defined]  # of the extension
    install(gettext, ngettext, newstyle=True)
    # Whatever a page prints of services, it prints in its own language.
    app.jinja_env.finalize = _finalized
    # In place of Jinja's own, which take a text for safe markup, and each % for a place in it.
    app.jinja_env.globals.update({"_": shown, "gettext": shown, "ngettext": shown_many})
    app.jinja_env.globals.update(when=when, language=language, foreign=foreign)
    app.jinja_env.globals.update(other_languages=other_languages, here_again=here_again)
    app.jinja_env.filters.update(masked=masked, first_capital=capital)
