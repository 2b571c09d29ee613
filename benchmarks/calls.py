"""Remote calls for each change, ours and those of the flow of the Wix guide: both played and
counted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from benchmarks.charts import Bars
from benchmarks.ground import ground, raised_budgets
from benchmarks.plain_flow import PlainFlow
from benchmarks.report import Section, Table, at_least, at_most
from sync_sandbox.door import serve_door
from sync_sandbox.served import Served
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix_side import GROUP, NAMESPACE
from sync_worker.config import load_settings
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.values import Contact, EntityRef
from sync_worker.manifest.default_field import default_field
from sync_worker.wiring import Wiring

EMAIL = "ada@example.com"
VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}
SIGN_IN = "POST /oauth2/token"  # what it answers serves four hours
OURS, PLAIN = "ratings-sync", "flow of the guide"
UPSERTS = ("created on Wix", "changed on Wix", "created outside", "changed outside")
Drain = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Size:
    count: int = 100  # ratings on each side


QUICK = Size(3)


@dataclass
class Rings:
    """Implements ports.Bell: what is rung is processed when the story says so."""

    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


def measure(size: Size) -> dict[str, dict[str, float]]:
    """Remote calls for each change, by flow and kind of change."""
    products = {f"product-{number}": f"SKU-{number}" for number in range(2 * size.count)}
    found = {}
    for name, flow in {OURS: _ours, PLAIN: _plain}.items():
        with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1)) as box:
            ada = str(box.wix.add_contact(EMAIL, "Ada")["id"])
            with flow(box, products, ada) as drain:
                found[name] = _played(box, drain, list(products.items()), ada)
    return found


def _played(
    box: Sandbox, drain: Drain, products: Sequence[tuple[str, str]], ada: str
) -> dict[str, float]:
    """The same story for both: half of the products are rated on each side, changed there, told
    again, and deleted.
    """
    half = len(products) // 2
    wix: list[str] = []
    outside: list[str] = []

    def again() -> None:
        for rating_id in wix:
            box.wix.webhooks.again(rating_id)
        for rating_id in outside:
            box.reviews.webhooks.again(rating_id)

    def delete_on_wix() -> None:
        for rating_id in wix:
            box.wix.delete_rating(rating_id, VISITOR)

    def delete_outside() -> None:
        for rating_id in outside:
            box.reviews.remove(rating_id, by="visitor")

    story: dict[str, Callable[[], object]] = {
        "created on Wix": lambda: wix.extend(
            _rate_on_wix(box, ada, one) for one, _ in products[:half]
        ),
        "created outside": lambda: outside.extend(
            _rate_outside(box, sku) for _, sku in products[half:]
        ),
        "changed on Wix": lambda: [box.wix.update_rating(one, 20, VISITOR) for one in wix],
        "changed outside": lambda: [
            box.reviews.change(one, {"score": Decimal(1)}, by="visitor") for one in outside
        ],
        "told again, late": again,
        "deleted on Wix": delete_on_wix,
        "deleted outside": delete_outside,
    }
    costs = {}
    for kind, act in story.items():
        before = _calls(box)
        act()
        drain()
        # What is told again are the creates and the changes of both sides.
        costs[kind] = (_calls(box) - before).total() / (
            4 * half if kind == "told again, late" else half
        )
    return costs


def _rate_on_wix(box: Sandbox, ada: str, product: str) -> str:
    rating = {
        "namespace": NAMESPACE,
        "group": GROUP,
        "entityId": product,
        "attributeName": "overall",
    }
    return str(
        box.wix.create_rating(rating | {"value": 80, "owner": {"contactId": ada}}, VISITOR)["id"]
    )


def _rate_outside(box: Sandbox, sku: str) -> str:
    draft = {
        "subject": {"id": sku},
        "author": {"email": EMAIL, "display_name": "Ada"},
        "score": Decimal(4),
    }
    return str(box.reviews.create(draft, by="visitor")["id"])


def _calls(box: Sandbox) -> Counter[str]:
    both = Counter(box.wix.calls) + Counter(box.reviews.calls)
    del both[SIGN_IN]
    return both


@contextmanager
def _plain(box: Sandbox, products: Mapping[str, str], ada: str) -> Iterator[Drain]:
    server = Served(PlainFlow(box, products, {ada: EMAIL}).app(), 0)
    box.send_webhooks_to(server.url)

    def drain() -> None:
        _flush(box)

    yield drain
    server.stop()


def _flush(box: Sandbox) -> None:
    if not box.flush(60):
        raise RuntimeError("webhooks are still on their way after a minute")


@contextmanager
def _ours(box: Sandbox, products: Mapping[str, str], ada: str) -> Iterator[Drain]:
    """The real gateway and the real intake, in this process."""
    with ground("sqlite") as at:
        settings = {**at.environ(), **box.settings(), **raised_budgets(at.folder)}
        wiring, bell = Wiring(load_settings(settings), settings), Rings()
        manifest = wiring.manifests["own-service"]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id, manifest.id, [default_field(manifest)]
        )
        wiring.admin.mappings.import_contacts(site, [Contact(ada, EMAIL)])
        pairs = [
            (EntityRef(wix, GROUP, NAMESPACE), EntityRef(external))
            for wix, external in products.items()
        ]
        wiring.admin.mappings.import_entities(site, pairs)
        gateway = serve_door(wiring, bell, box)
        box.send_webhooks_to(gateway.url)
        intake = wiring.intake(bell)

        def drain() -> None:
            _flush(box)
            while bell.rung:
                inbox_id = bell.rung.pop(0)
                while (
                    intake.process(inbox_id).kind is OutcomeKind.RATE_LIMITED
                ):  # the bucket starts empty
                    time.sleep(0.01)
                _flush(box)
            if left := wiring.ledger.inbox.count_open():
                raise RuntimeError(f"{left} deliveries are still open")

        yield drain
        gateway.stop()
        wiring.close()


def run(size: Size) -> Section:
    found = measure(size)
    ours, plain = found[OURS], found[PLAIN]
    rows = [(kind, f"{ours[kind]:.2f}", f"{plain[kind]:.2f}") for kind in ours]
    means = {
        name: sum(costs[kind] for kind in UPSERTS) / len(UPSERTS) for name, costs in found.items()
    }
    bars = {f"{kind}, {name}": costs[kind] for kind in ours for name, costs in found.items()}
    return Section(
        "calls",
        "Remote calls for each change",
        f"{size.count} ratings on each side, by known people for mapped things, are created,"
        " changed, told again by late duplicates of all their webhooks, and deleted; every call to"
        " either stand-in is counted but for the access token. The flow of the guide keeps a table"
        " of partners in memory and trusts every webhook; ours also looks before it deletes, since"
        " neither API lets a delete name the revision that it expects.",
        [
            at_most("remote calls for a created or changed rating", 1.0, means[OURS], "calls"),
            at_least(
                "the guide's flow for one created outside", 3.0, plain["created outside"], "calls"
            ),
            at_most("remote calls for a late duplicate", 0, ours["told again, late"], "calls"),
        ],
        [Table(("change", OURS, PLAIN), rows)],
        [Bars("calls", "Remote calls for each change", "calls", bars)],
        found,
    )
