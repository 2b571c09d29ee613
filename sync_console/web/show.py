"""Pages, and their live part alone for who asks again every few seconds."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import urlencode

from flask import Flask, make_response, render_template, request
from jinja2_fragments import BlockNotFoundError
from jinja2_fragments.flask import render_block
from werkzeug.wrappers import Response

from sync_console.web.actions import DONE

# These differ each time, and say nothing new: tokens, and how long ago something was.
_TOKENS = re.compile(r'name="(?:csrf_token|form)" value="[^"]*"|>[^<]*(?=</time>)')


def show(template: str, **context: Any) -> Response:
    """The page; for htmx only its block ``live``: 304 if that is as it was."""
    if not is_live():
        return make_response(render_template(template, **context))
    try:
        html = render_block(template, "live", **context)
    except BlockNotFoundError:
        return make_response(render_template(template, **context))
    response = make_response(html)
    response.set_etag(mark_of(html))
    return response.make_conditional(request)


def mark_of(html: str) -> str:
    """The same for a part that tells nothing new."""
    return hashlib.sha256(_TOKENS.sub("", html).encode()).hexdigest()[:32]


def is_live() -> bool:
    """Whether a page that is open asks for news."""
    return request.headers.get("HX-Target") == "live"


def here(**changes: object) -> str:
    """The address of this page with other words behind its ``?``; ``None`` takes one away."""
    words = {name: value for name, value in request.args.items() if name != DONE}
    words |= {name: str(value) for name, value in changes.items() if value is not None}
    kept = {name: value for name, value in words.items() if changes.get(name, "") is not None}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(here=here)
