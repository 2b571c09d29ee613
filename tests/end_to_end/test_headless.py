"""A first hour with a headless CMS: the example of its manifest, its settings, and both ways."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sync_sandbox.server import SandboxOptions
from sync_sandbox.stage import Stage
from sync_sandbox.wix_side import GROUP, NAMESPACE
from sync_worker.core.values import EntityRef
from sync_worker.manifest.default_field import default_field
from tests.commands import run_command
from tests.end_to_end.conftest import QUICK, VOLUME_BUDGET
from tests.headless.cms import Cms, served
from tests.headless.directus import Directus
from tests.headless.strapi import Strapi

EXAMPLES = Path(__file__).parents[2] / "examples" / "connectors"
ADA, BEN = "ada@example.com", "ben@example.com"
STEP_SECONDS = 60

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]


class Home(Stage):
    """Between the stand-in Wix and a CMS, by the example's manifest."""

    cms: Cms

    def _set_up(self) -> None:
        connector = self.wiring.manifests[self.cms.name]
        self.site, _ = self.admin.sites.add(
            self.box.wix.instance_id, connector.id, [default_field(connector)]
        )
        pairs = [
            (EntityRef(wix, GROUP, NAMESPACE), EntityRef(external))
            for wix, external in self.products.items()
        ]
        self.admin.mappings.import_entities(self.site, pairs)

    def rated_outside(self) -> dict[tuple[str, str], Decimal]:
        names = {external: wix for wix, external in self.products.items()}
        return {
            (names[one["product"]], self._address_of(one)): Decimal(one["stars"])
            for one in list(self.cms.reviews.values())
        }

    def _address_of(self, review: dict[str, Any]) -> str:
        if isinstance(self.cms, Directus):
            return str(self.cms.people[str(review["author"])]["email"])
        return str(review["email"])

    def shows(self, *expected: tuple[str, str, int, int]) -> bool:
        """Whether exactly this is on both sides, and all is quiet."""

        def is_so() -> bool:
            shown = {(one.product, one.email, one.wix, one.external) for one in self.rated()}
            return self.is_quiet() and shown == {
                (product, email, Decimal(wix), Decimal(stars))
                for product, email, wix, stars in expected
            }

        return self.wait_until(is_so, STEP_SECONDS)


@pytest.fixture(params=[Directus, Strapi], ids=["directus", "strapi"])
def home(request: pytest.FixtureRequest, tmp_path: Path, environ: dict[str, str]) -> Iterator[Home]:
    cms: Cms = request.param()
    with ExitStack() as stack:
        server = stack.enter_context(served(cms))
        text = (EXAMPLES / f"{cms.name}.yaml").read_text()
        manifest = tmp_path / f"{cms.name}.yaml"
        manifest.write_text(
            text.replace("# allow_private_hosts: true", "allow_private_hosts: true")
        )
        settings = {**VOLUME_BUDGET, **cms.settings(server.url), "CONNECTORS": str(manifest)}
        home = Home(
            tmp_path / "home",
            environ,
            {"beans": "SKU-1", "tea": "SKU-2"},
            settings={**settings, "SWEEP_SECONDS": "1"},
            options=SandboxOptions(**QUICK),
        )
        home.folder.mkdir()
        home.cms = cms
        stack.enter_context(home)
        address = f"{home.parts.gateway_url}/webhooks/external/{cms.name}"
        # As the real ones do: in their order, after the write that they tell of.
        sender = stack.enter_context(ThreadPoolExecutor(1))

        def tell(body: Any, headers: dict[str, str]) -> None:
            sender.submit(requests.post, address, json=body, headers=headers, timeout=5)

        cms.hear = tell
        yield home


def test_ratings_cross_both_ways_by_the_example_alone(home: Home) -> None:
    environ = home.everything | {"REDIS_URL": home.redis_url}
    checked = run_command(["connector", "check", home.cms.name, "--live"], home.folder, environ)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    ada = home.add_person(ADA, "Ada")
    home.add_person(BEN, "Ben")
    home.rate_on_wix(ada, "beans", 80)
    assert home.shows(("beans", ADA, 80, 4)), home.rated()
    theirs = home.cms.rate(BEN, "SKU-2", 5)
    assert home.shows(("beans", ADA, 80, 4), ("tea", BEN, 100, 5)), home.rated()

    home.cms.change(theirs, stars=2)
    home.change_on_wix(home.wix_id(ADA, "beans"), 20)
    assert home.shows(("beans", ADA, 20, 1), ("tea", BEN, 40, 2)), home.rated()

    home.cms.remove(theirs)
    visitor = {"identityType": "MEMBER", "memberId": "visitor"}
    home.box.wix.delete_rating(home.wix_id(ADA, "beans"), visitor)
    assert home.shows(), home.rated()
