"""Makes the console: ``gunicorn 'sync_console.app:create_app()'``, or ``ratings-sync console``."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, url_for
from flask_wtf.csrf import CSRFProtect

from sync_console.api import api
from sync_console.entrance import ENTRANCE
from sync_console.pages import PAGES
from sync_console.pages.charts import hour_words
from sync_console.pages.menu import menu
from sync_console.settings import ConsoleConfig
from sync_console.web import actions, errors, headers, parts, programs, sessions, show, words
from sync_console.web.addresses import proxies_of
from sync_console.web.limits import Limits
from sync_worker.wiring.console import ConsoleParts, console_parts

STATIC = Path(__file__).parent / "static"
MAX_FORM_BYTES = 2 * 1024 * 1024  # mapping files come as forms


def create_app(of: ConsoleParts | None = None) -> Flask:
    """The console over these parts; by default over those of the environment.

    Raises Misconfigured.
    """
    of = of or console_parts()
    config = ConsoleConfig(of.public_url, of.form_key, of.settings.console_frame_ancestors)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=of.form_key,
        TRUSTED_HOSTS=config.hosts,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        PROPAGATE_EXCEPTIONS=False,
        WTF_CSRF_TIME_LIMIT=None,  # as long as its session
        WTF_CSRF_SSL_STRICT=False,  # we tell no referrer; Sec-Fetch-Site says it
    )
    app.extensions["console"] = of
    headers.init_app(app, config)
    app.extensions["console_secrets"] = sessions.init_app(app, config)
    # After it: a form whose session has ended is kept only if it is ours.
    CSRFProtect(app).exempt(api)  # a token in a header is no cookie: no other page can send it
    per_minute = of.settings.console_api_per_minute
    programs.init_app(app, Limits(per_minute, shared=of.seconds_until_free))
    app.extensions["console_proxies"] = proxies_of(of.settings.console_trusted_proxies)
    parts.init_app(app)
    words.init_app(app)
    actions.init_app(app)
    show.init_app(app)
    errors.init_app(app)
    app.jinja_env.globals.update(
        menu=menu, file_url=file_url, hour_words=hour_words, known_views=app.view_functions
    )
    for blueprint in (*ENTRANCE, *PAGES, api):
        app.register_blueprint(blueprint)
    return app


def file_url(name: str) -> str:
    """Of a file of ours; another content has another address."""
    return url_for("static", filename=name, v=_mark_of(name))


@lru_cache
def _mark_of(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
