"""The stand-in dashboard on a port: its pages, and below ``/shops/`` the systems of its shops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sync_sandbox.dashboard.pages import dashboard_app
from sync_sandbox.dashboard.sites import OwnerSites
from sync_sandbox.served import Served
from sync_sandbox.wix.door import WixDoor
from sync_sandbox.wix.state import WixState
from sync_worker.runtime.local.free_port import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHOPS = "/shops/"


class Dashboard:
    """Runs until it is stopped. ``wix``: the first instance of the app, on no site of ours.

    Its pages are shown at another site than the console's, ``localhost`` and not ``127.0.0.1``, as
    Wix's are: so the frame has no cookies of whoever is logged in at the console.
    """

    def __init__(self, wix: WixState, port: int = 0) -> None:
        port = port or free_port()
        self.console_url = ""  # where the app's page is, once that is known
        self.sites = OwnerSites(wix, f"http://127.0.0.1:{port}{SHOPS.rstrip('/')}")
        self._pages = dashboard_app(self.sites, lambda: self.console_url)
        self._served = Served(self._serve, port)

    @property
    def url(self) -> str:
        return self._served.url.replace("127.0.0.1", "localhost")

    def with_sites(self, first: WSGIApplication) -> WixDoor:
        """The API of Wix for all sites; ``first``: that of the app's first instance."""

        def app_of(number: str) -> WSGIApplication:
            site = self.sites.find(int(number)) if number.isdigit() else None
            return first if site is None else site.wix_app

        return WixDoor(app_of)

    def _serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        number, _, rest = path.removeprefix(SHOPS).partition("/")
        if path.startswith(SHOPS) and number.isdigit():
            site = self.sites.find(int(number))
            if site is not None:
                environ["SCRIPT_NAME"] = f"{SHOPS}{number}"
                environ["PATH_INFO"] = f"/{rest}"
                return site.shop_app(environ, start)
        return self._pages(environ, start)

    def stop(self) -> None:
        self.sites.stop()
        self._served.stop()
