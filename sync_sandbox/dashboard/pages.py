"""The pages of the stand-in dashboard. They have no login: this machine alone reaches them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from urllib.parse import urlencode

from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.dashboard.instance import ANONYMOUS, EXPIRED, FORGED, signed_instance
from sync_sandbox.dashboard.sites import ON_WIX, OUTSIDE, PEOPLE, OwnerSite, OwnerSites
from sync_sandbox.reviews import Refusal as ShopRefusal
from sync_sandbox.served import StandIn
from sync_sandbox.wix.refusal import Refusal
from sync_sandbox.wix_side import Words

USED = "used"
# What the console has to refuse: the word in the address, and what it is called.
TRIES = {
    FORGED: "signed with another secret",
    EXPIRED: "an hour old",
    ANONYMOUS: "of a visitor who is not logged in",
    USED: "used a second time",
}
STARS_ON_WIX = ("5", "4", "3", "2", "1")
STARS_OUTSIDE = ("5", "4.5", "4", "3.5", "3", "2.5", "2", "1.5", "1", "0.5")
STRANGER = ("dora@example.com", "Dora, whom the site does not know")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'self'; frame-src 'self' {console}"
)
SITE = "/sites/<int:number>"


def dashboard_app(sites: OwnerSites, console_url: Callable[[], str]) -> Flask:
    """``console_url``: where the app's page is, empty until that is known."""
    app = StandIn()

    @app.after_request
    def say(response: Response) -> Response:
        policy = POLICY.format(console=console_url())
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/")
    def index() -> str:
        return render_template("dashboard/sites.html", sites=sites.all)

    @app.post("/sites")
    def add() -> BaseResponse:
        return redirect(f"/sites/{sites.add().number}", 303)

    _add_the_app(app, sites, console_url)
    _add_storefront(app, sites)
    _add_shop(app, sites)
    return app


def _add_the_app(app: Flask, sites: OwnerSites, console_url: Callable[[], str]) -> None:
    @app.get(SITE)
    def one(number: int) -> str:
        """The app's page in a frame, or the app to install; beside it what visitors see."""
        site = _site(sites, number)
        tried = request.args.get("try", "")
        address = _page_address(site, tried, console_url())
        return render_template(
            "dashboard/site.html", site=site, address=address, tries=TRIES, tried=tried
        )

    @app.post(f"{SITE}/install")
    def install(number: int) -> BaseResponse:
        sites.install(_site(sites, number))
        return redirect(f"/sites/{number}", 303)


def _page_address(site: OwnerSite, tried: str, console_url: str) -> str:
    """Of the app's page, as Wix opens it in the frame; empty where there is none."""
    if not site.is_installed or not console_url:
        return ""
    instance = signed_instance(site.wix, tried)
    if tried == USED and site.last_instance:
        instance = site.last_instance
    if not tried:
        site.last_instance = instance
    query = {
        "instance": instance,
        "locale": "en",
        "viewMode": "dashboard",
        "isPublish": "true",
        "siteUrl": f"https://site-{site.number}.wixsite.example.com",
        "cacheKiller": uuid.uuid4().hex,
    }
    return f"{console_url}/owner?{urlencode(query)}"


def _add_storefront(app: Flask, sites: OwnerSites) -> None:
    def page(site: OwnerSite, refused: str = "") -> str:
        return render_template(
            "dashboard/storefront.html",
            site=site,
            seen=site.seen_on_wix(),
            people=PEOPLE,
            products=ON_WIX,
            stars=STARS_ON_WIX,
            refused=refused,
        )

    @app.get(f"{SITE}/storefront")
    def storefront(number: int) -> str:
        return page(_site(sites, number))

    @app.post(f"{SITE}/storefront")
    def rate_on_site(number: int) -> BaseResponse | tuple[str, int]:
        site, form = _site(sites, number), request.form
        stars = form.get("stars", "")
        if stars not in STARS_ON_WIX or form.get("person") not in dict(PEOPLE):
            return page(site, "Choose a person and stars."), 422
        try:
            site.rate_on_wix(form["person"], form.get("product", ""), int(stars), _words())
        except Refusal as error:
            return page(site, error.message), error.status
        return redirect(f"/sites/{number}/storefront", 303)


def _add_shop(app: Flask, sites: OwnerSites) -> None:
    def page(site: OwnerSite, refused: str = "") -> str:
        return render_template(
            "dashboard/shop.html",
            site=site,
            seen=site.seen_outside(),
            people=(*PEOPLE, STRANGER),
            products=OUTSIDE,
            stars=STARS_OUTSIDE,
            refused=refused,
        )

    @app.get(f"{SITE}/shop")
    def shop(number: int) -> str:
        return page(_site(sites, number))

    @app.post(f"{SITE}/shop")
    def rate_in_shop(number: int) -> BaseResponse | tuple[str, int]:
        site, form = _site(sites, number), request.form
        product, stars = form.get("product", ""), form.get("stars", "")
        try:
            site.rate_outside(form.get("person", ""), product, stars, _words())
        except ShopRefusal as error:
            return page(site, str(error)), error.status
        return redirect(f"/sites/{number}/shop", 303)

    @app.post(f"{SITE}/shop/webhooks")
    def webhooks(number: int) -> BaseResponse | tuple[str, int]:
        site = _site(sites, number)
        if not site.send_shop_webhooks_to(request.form.get("address", "")):
            return page(site, "That is no web address: copy the whole of it."), 422
        return redirect(f"/sites/{number}/shop", 303)


def _words() -> Words:
    form = request.form
    return Words(form.get("title", "").strip(), form.get("body", "").strip())


def _site(sites: OwnerSites, number: int) -> OwnerSite:
    found = sites.find(number)
    if found is None:
        abort(404)
    return found
