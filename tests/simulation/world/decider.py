"""Support people, who decide about single ratings while everything happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from sync_worker.core.ports.decisions import Judge, RatingOnFile
from sync_worker.core.values import EntityRef, Person, RatingKey, Side
from sync_worker.core.values.decisions import Decision
from sync_worker.services.access.who import Role, Who
from sync_worker.services.deciding.choice import Choice
from sync_worker.services.deciding.decisions import CHOOSABLE, Decisions
from sync_worker.services.deciding.refusals import DecisionRefused, NotPossible
from tests.simulation.world.chance import Chance
from tests.simulation.world.options import Options

SUPPORT = [Who("anna", Role.SUPPORT), Who("bert", Role.SUPPORT)]
# A person's rating of a thing: the number of the entity, and the contact.
Key = tuple[int, str]


@dataclass(frozen=True)
class DecidedAct:
    """``acts_before``: so many acts of people came before it."""

    number: int
    key: Key
    decision: Decision
    acts_before: int


@dataclass
class Recorded:
    """The port; ``note``: told of the number, link and decision of what was stored."""

    ledger: Any
    note: Callable[[int, int, Decision], None]

    def decide(self, link_id: int, name: str, judge: Judge) -> int:
        made: list[Decision] = []

        def record(rating: RatingOnFile | None) -> Decision:
            made.append(judge(rating))
            return made[-1]

        number = int(self.ledger.decisions.decide(link_id, name, record))
        if made:
            self.note(number, link_id, made[-1])
        return number

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger.decisions, name)


class Decider:
    """Of one site. ``count_acts``: how many acts of people there were."""

    def __init__(
        self,
        options: Options,
        chance: Chance,
        ledger: Any,
        site_id: int,
        ring: Callable[[Sequence[int]], None],
        count_acts: Callable[[Key], int],
    ) -> None:
        self._options, self._chance, self._ledger = options, chance, ledger
        self._site_id, self._count_acts, self._ring = site_id, count_acts, ring
        self._names = 0
        self.service = Decisions(Recorded(ledger, self._note), self, self._name)
        self.decided: list[DecidedAct] = []
        self._keys: dict[int, Key] = {}
        # Carried out although somebody had edited the rating: the numbers.
        self.forced: set[int] = set()

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """Now and then nobody hears it."""
        if not self._chance.happens(self._chance.faults.broker_loss * 5):
            self._ring(inbox_ids)

    def _name(self) -> str:
        self._names += 1
        return f"{self._site_id}-{self._names}"

    def act(self, persons: Sequence[Person], entities: Sequence[tuple[EntityRef, Any]]) -> None:
        """One decision about one rating, if it is not refused."""
        random = self._chance.random
        number = random.randrange(len(entities))
        key = (number, str(random.choice(persons).contact_id))
        link_id = self._link_id(entities[number][0], key[1])
        if link_id is None:
            return
        deeds = [self._makes, self._undoes, self._chooses] * 5 + [self._carries_out] * 2
        deeds += [self._compares, self._stops] + [self._lets_go_on] * 3
        self._keys[link_id] = key
        # Who is refused thinks of something else.
        for deed in random.sample(deeds, 4):
            with suppress(DecisionRefused):
                deed(random.choice(SUPPORT), link_id)
                return

    def _link_id(self, wix: EntityRef, contact_id: str) -> int | None:
        entity = self._ledger.directory.entity(self._site_id, Side.WIX, wix)
        found: int | None = self._ledger.links.link_id(
            RatingKey(self._site_id, entity.id, contact_id)
        )
        return found

    def _note(self, number: int, link_id: int, decision: Decision) -> None:
        # A world of one rating need not say which one.
        key = self._keys.get(link_id, (0, "contact-0"))
        self.decided.append(DecidedAct(number, key, decision, self._count_acts(key)))

    def end(self, persons: Sequence[Person], entities: Sequence[tuple[EntityRef, Any]]) -> None:
        """All that was stopped goes on, also where a merge has joined it with another one."""
        for number, person in product(range(len(entities)), persons):
            link_id = self._link_id(entities[number][0], str(person.contact_id))
            if link_id is None:
                continue
            with suppress(DecisionRefused):
                self.service.go_on(SUPPORT[0], link_id, "the end")

    # -- what they do

    def _makes(self, who: Who, link_id: int) -> None:
        random = self._chance.random
        side = random.choice(list(Side))
        values = dict[str, Decimal]()
        for one in self._options.fields:
            scale = one.wix if side is Side.WIX else one.external
            if not values or random.random() < 0.5:
                values[one.attribute] = scale.level(random.randrange(scale.levels))
        rating = self.service.on_file.rating(link_id)
        version = rating.version if rating is not None and random.random() < 0.5 else None
        self.service.make_both(who, link_id, Choice(side, values), "why", version)

    def _undoes(self, who: Who, link_id: int) -> None:
        rating = self.service.on_file.rating(link_id)
        newest = 0 if rating is None else rating.version
        for number in range(newest, max(0, newest - 8), -1):
            line = self.service.on_file.line(number)
            if line is None or line.link_id != link_id:
                continue
            with suppress(NotPossible):
                self.service.undo(who, number, "a mistake")
                return
        raise NotPossible("nothing to undo")

    def _chooses(self, who: Who, link_id: int) -> None:
        rating = self.service.on_file.rating(link_id)
        reasons = {} if rating is None else rating.held
        held = [one for one in sorted(reasons) if reasons[one] in CHOOSABLE]
        if not held:
            raise NotPossible("nothing to choose")
        self.service.choose_side(who, held, self._chance.random.choice(list(Side)), "it is right")

    def _compares(self, who: Who, link_id: int) -> None:
        self.service.compare_now(who, link_id)

    def _stops(self, who: Who, link_id: int) -> None:
        self.service.stop(who, link_id, "wait")

    def _lets_go_on(self, who: Who, link_id: int) -> None:
        self.service.go_on(who, link_id, "go on")

    def _carries_out(self, who: Who, link_id: int) -> None:
        self.forced.update(self.service.carry_out(who, link_id, "all the same"))
