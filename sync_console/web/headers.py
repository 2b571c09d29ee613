"""What each answer tells the browser about itself."""

from __future__ import annotations

from flask import Flask, Response, g, request
from werkzeug.exceptions import Forbidden as CrossSite

from sync_console.settings import ConsoleConfig

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR_SECONDS = 31_536_000


def refuse_cross_site() -> None:
    """A page of somebody else's asks: only a person who follows a link to us may.

    https://web.dev/articles/fetch-metadata
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site in ("same-origin", "none"):
        return
    is_visit = request.method in SAFE_METHODS and (
        request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    )
    if not is_visit:
        raise CrossSite("This was sent by a page of another site, and is refused.")


def init_app(app: Flask, config: ConsoleConfig) -> None:
    app.before_request(refuse_cross_site)

    @app.after_request
    def say(response: Response) -> Response:
        ancestors = config.frame_ancestors if g.get("may_be_framed") else "'none'"
        response.headers["Content-Security-Policy"] = POLICY.format(ancestors=ancestors)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        is_file = request.endpoint == "static" and response.status_code == 200
        response.headers["Cache-Control"] = _kept(is_file and "v" in request.args)
        if config.is_secure:
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
        return response


def _kept(for_long: bool) -> str:
    return f"public, max-age={YEAR_SECONDS}, immutable" if for_long else "no-store"
