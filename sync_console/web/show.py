"""Pages, and their live part alone for who asks again every few seconds."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from flask import make_response, render_template, request
from jinja2_fragments.flask import render_block
from werkzeug.wrappers import Response

# These differ each time, and say nothing new.
_TOKENS = re.compile(r'name="(?:csrf_token|form)" value="[^"]*"')


def show(template: str, **context: Any) -> Response:
    """The page; for htmx only its block ``live``: 304 if that is as it was."""
    if not is_live():
        return make_response(render_template(template, **context))
    html = render_block(template, "live", **context)
    response = make_response(html)
    told = _TOKENS.sub("", html).encode()
    response.set_etag(hashlib.sha256(told).hexdigest()[:32])
    return response.make_conditional(request)


def is_live() -> bool:
    """Whether a page that is open asks for news."""
    return request.headers.get("HX-Target") == "live"
