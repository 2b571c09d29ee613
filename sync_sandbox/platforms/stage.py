"""A whole installation between the stand-in Wix and the stand-in of a review platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sync_sandbox.platforms.platform import Platform, Review
from sync_sandbox.stage import Stage
from sync_sandbox.wix_side import Words


@dataclass
class PlatformStage(Stage):
    """As Stage, with ``options.platform``; what visitors do there is done on ``platform``
    itself.
    """

    @property
    def platform(self) -> Platform:
        found = self.box.platform
        if found is None:
            raise LookupError("options.platform names no platform")
        return found

    def rate_on_platform(self, email: str, product: str, stars: int, text: str = "Nice") -> Review:
        name = email.partition("@")[0].title()
        return self.platform.create(
            self.products[product], email, name, stars, by="visitor", title="Seen", text=text
        )

    def review(self, email: str, product: str) -> Review:
        """The one review of a person. Raises LookupError."""
        found = self.platform.of(self.products[product], email)
        if len(found) != 1:
            raise LookupError(f"{email} has {len(found)} reviews of {product}")
        return found[0]

    def rated_outside(self) -> dict[tuple[str, str], Decimal]:
        names = {external: wix_name for wix_name, external in self.products.items()}
        return {(names[one.product], one.email): Decimal(one.stars) for one in self.platform.live()}

    def words_outside(self, email: str, product: str) -> Words | None:
        for one in self.platform.live():
            if (one.product, one.email) == (self.products[product], email):
                return Words(one.title, one.text)
        return None

    def shown(self) -> set[tuple[str, str, int | None, int | None]]:
        """Product, person, value on Wix, stars on the platform."""
        return {
            (one.product, one.email, _whole(one.wix), _whole(one.external)) for one in self.rated()
        }

    def writes(self) -> Counter[str]:
        journals: Sequence[list[dict[str, object]]] = (self.box.wix.journal, self.platform.journal)
        return Counter(str(entry["by"]) for journal in journals for entry in list(journal))

    def is_quiet(self) -> bool:
        return not self.platform.webhooks.pending() and super().is_quiet()


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
