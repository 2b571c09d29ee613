"""What `doctor --probe-reviews` learns of Wix Reviews, with each thing that Wix leaves open both
ways, and that nothing of it is left.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix.reviews.moderation import Mode
from sync_worker.config import load_settings
from sync_worker.core.values import EntityRef, Site, WixKind
from sync_worker.doctor.reviews.probe import CannotProbe, ReviewProbe
from sync_worker.doctor.reviews.probe_calls import ProbeReviews
from sync_worker.manifest.default_field import default_field
from sync_worker.wiring import Wiring
from tests.commands import run_command

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]
PRODUCT = "44444444-0000-4000-8000-000000000004"
VISITOR = {"identityType": "MEMBER"}


@dataclass
class Bench:
    """A stand-in with a site of Wix Reviews; time passes as soon as somebody waits."""

    box: Sandbox
    wiring: Wiring
    site: Site
    folder: Path
    environ: dict[str, str]
    slept: list[float] = field(default_factory=list)

    def probe(self, organic_id: str | None = None) -> dict[str, str]:
        """What a probe learns."""
        probe = ReviewProbe(self.its(), self.slept.append, lambda name, words: None, organic_id)
        return probe.run()

    def its(self, product_id: str = PRODUCT) -> ProbeReviews:
        api = self.wiring.remotes.wix_api(self.site.instance_id, time.sleep)
        return ProbeReviews(api, product_id)

    def switch(self, name: str, *, on: bool = True) -> None:
        """As the stand-in's Wix does it from now on."""
        self.box.wix.reviews.faults.set(name, chance=float(on))

    @property
    def left(self) -> tuple[int, int]:
        """Reviews and contacts that are there."""
        return len(self.box.wix.reviews.by_id), len(self.box.wix.contacts)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run_command(words, self.folder, self.environ, 60)

    @property
    def writes(self) -> list[str]:
        """Calls that write, of those that were made."""
        kinds = ("POST /rev", "POST /contacts", "PATCH", "DELETE")
        some = [name for name in self.box.wix.calls if name.startswith(kinds)]
        return [name for name in some if not name.endswith(("query", "count"))]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        environ = {"PATH": os.environ["PATH"], **box.settings()} | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
        }
        wiring = Wiring(load_settings(environ), environ)
        manifest = wiring.manifests["own-service"]
        fields = [default_field(manifest, WixKind.REVIEWS)]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, manifest.id, fields, None, WixKind.REVIEWS
        )
        yield Bench(box, wiring, site, tmp_path, environ)
        wiring.close()


def test_probe_learns_all_that_can_be_asked_and_leaves_nothing(bench: Bench) -> None:
    learned = bench.probe()
    # U15, what is installed, shows without a write.
    assert set(learned) == {f"U{number}" for number in range(1, 21)} - {"U15"}
    assert learned["U6"] == "a create is answered APPROVED, and stays so"
    assert learned["U9"].endswith("the origin APP of app sandbox-app")
    assert learned["U4"].startswith("a stale revision is answered 409 REVIEW_ALREADY_CHANGED")
    assert "an unknown product is accepted, an unknown contact is answered 404" in learned["U11"]
    assert learned["U16"].endswith("1 of 2 made, as expected 1")
    assert learned["U18"] == "a review without words is accepted"
    assert bench.left == (0, 0)


# What is learned with a switch off, and with it on.
BOTH_WAYS = [
    ("U2", "moderation_bumps_revision", "moderation keeps", "moderation raises"),
    ("U2", "reply_bumps_revision", "a reply keeps it", "a reply raises it"),
    ("U3", "duplicate_is_400", "second review is answered 409", "second review is answered 400"),
    ("U3", "rejected_does_not_block", "rejected one blocks", "rejected one leaves room"),
    ("U7", "null_keeps_text", "null clears a title", "null leaves it"),
    ("U10", "private_needs_permission", "is shown to us", "LOUD: a rejected review is hidden"),
    ("U19", "patch_replaces_content", "an update merges", "title, body, media went"),
]


@pytest.mark.full
@pytest.mark.parametrize(("name", "switch", "off", "on"), BOTH_WAYS)
def test_probe_tells_which_way_it_is(
    bench: Bench, name: str, switch: str, off: str, on: str
) -> None:
    bench.switch(switch, on=False)
    assert off in bench.probe()[name]
    bench.switch(switch)
    assert on in bench.probe()[name]
    assert bench.left == (0, 0)


def test_probe_watches_what_rules_and_persons_decide(bench: Bench) -> None:
    bench.box.wix.reviews.mode = Mode.MANUAL
    assert "answered IN_MODERATION, and stays so (30 s watched)" in bench.probe()["U6"]
    bench.box.wix.reviews.mode = Mode.OFF
    bench.switch("created_as_submitted")
    assert "is answered SUBMITTED, and is APPROVED after 1 s" in bench.probe()["U6"]


def organic(bench: Bench) -> str:
    contact = bench.box.wix.add_contact("ada@example.com", "Ada")
    review = {
        "namespace": "stores",
        "entityId": PRODUCT,
        "author": {"contactId": contact["id"]},
        "content": {"rating": 5, "title": "Mine"},
    }
    return str(bench.box.wix.reviews.create(review, VISITOR)["id"])


def test_visitors_review_is_asked_by_name_only_and_never_changed(bench: Bench) -> None:
    review_id = organic(bench)
    before = dict(bench.box.wix.reviews.by_id[review_id])
    assert bench.probe()["U1"].startswith("not asked")
    assert "as far as the revision (409)" in bench.probe(review_id)["U1"]
    bench.switch("organic_read_only")
    assert "403 PERMISSION_DENIED" in bench.probe(review_id)["U1"]
    assert bench.box.wix.reviews.by_id[review_id] == before
    assert bench.left == (1, 1)


def test_probe_that_breaks_off_leaves_nothing(bench: Bench) -> None:
    def fail(seconds: float) -> None:
        raise KeyboardInterrupt

    bench.box.wix.reviews.mode = Mode.MANUAL
    with pytest.raises(KeyboardInterrupt):
        ReviewProbe(bench.its(), fail, lambda name, words: None).run()
    assert bench.left == (0, 0)


def test_probe_of_a_site_that_takes_no_review_says_so(bench: Bench) -> None:
    bench.switch("unknown_product")
    with pytest.raises(CannotProbe, match="404 PRODUCT_NOT_FOUND"):
        bench.probe()
    assert bench.left == (0, 0)


def test_doctor_writes_nothing_unless_it_is_allowed(bench: Bench) -> None:
    asked = bench.command("doctor", "--probe-reviews", PRODUCT)
    assert asked.returncode == 1
    assert "say --allow-writes" in asked.stderr
    plain = bench.command("doctor")
    assert "the Reviews API answers" in plain.stdout
    assert "catalog V3_CATALOG" in plain.stdout
    assert bench.writes == []


def test_what_was_learned_is_kept_with_the_site(bench: Bench) -> None:
    words = ("doctor", "--probe-reviews", PRODUCT, "--allow-writes", "--json")
    done = bench.command(*words)
    assert done.returncode == 0, done.stderr
    learned = json.loads(done.stdout)["learned"]
    assert bench.wiring.admin.sites.learned(bench.site.id) == learned
    shown = bench.command("site", "show").stdout
    assert "wix_api=reviews" in shown
    assert f"U19: {learned['U19']}" in shown


def test_product_that_would_cross_is_not_probed(bench: Bench) -> None:
    pair = (EntityRef(PRODUCT, "stores", "reviews"), EntityRef("SKU-1"))
    bench.wiring.admin.mappings.import_entities(bench.site, [pair])
    words = ("doctor", "--allow-writes", "--probe-reviews")
    assert "is mapped" in bench.command(*words, PRODUCT).stderr
    bench.wiring.admin.sites.set_policy(bench.site.id, {"unknown_entity": "same_id"})
    assert "maps products of equal ids by itself" in bench.command(*words, "another").stderr
    assert bench.writes == []
