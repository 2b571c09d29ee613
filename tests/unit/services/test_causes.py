"""What needs a person: one sentence, the worst first, and what an owner is told of it."""

from __future__ import annotations

import itertools

import pytest

from sync_worker.core.values import Policy
from sync_worker.ledger.console.site_list import SiteTrouble
from sync_worker.services.causes import (
    BY_HARM,
    FOR_OWNERS,
    OF_THE_INSTALLATION,
    PLACES,
    causes,
    headline,
    of_site,
)
from sync_worker.services.sites.questions import GROUPS, QUESTIONS
from sync_worker.services.sites.sites import TROUBLE_WORDS
from sync_worker.services.trouble import Trouble, TroubleKind


def a_trouble(kind: TroubleKind, source: str = "", since: float | None = None) -> Trouble:
    return Trouble(kind, f"{kind} of {source or 'all'}", "do something", since, source)


def test_every_trouble_has_its_place_among_the_others() -> None:
    assert sorted(BY_HARM) == sorted(TroubleKind)
    assert set(PLACES) <= set(TroubleKind)
    assert set(TROUBLE_WORDS) == set(SiteTrouble)


def test_worst_comes_first_and_what_is_held_last() -> None:
    found = [a_trouble(kind) for kind in (TroubleKind.PAUSED, TroubleKind.NO_WORKER)]
    told = causes(found, 3, is_more_held=False)
    assert [cause.kind for cause in told] == ["no_worker", "paused", "held"]
    assert told[-1].lines[0].sentence.startswith("3 deliveries are held")
    assert [cause.place for cause in told] == ["/machines", "/sites?trouble=paused", "/held"]


def test_many_sites_with_one_trouble_are_one_cause() -> None:
    found = [a_trouble(TroubleKind.PAUSED, f"shop-{number}", number) for number in range(1, 9)]
    (cause,) = causes(found, 0, is_more_held=False)
    assert (cause.count, len(cause.lines), cause.since) == (8, 5, 1)


@pytest.mark.parametrize(
    ("kinds", "held", "words"),
    [
        ([], 0, "All well"),
        ([], 5, "1 thing needs you"),
        ([TroubleKind.PAUSED], 5, "2 things need you"),
        ([TroubleKind.NOTHING_RUNS, TroubleKind.PAUSED], 0, "Nothing runs"),
        ([TroubleKind.NO_LEDGER], 0, "Nothing runs"),
    ],
)
def test_one_sentence_says_how_it_stands(kinds: list[TroubleKind], held: int, words: str) -> None:
    told = causes(map(a_trouble, kinds), held, is_more_held=False)
    assert headline(told, has_sites=True) == words


def test_installation_without_a_site_is_not_called_well() -> None:
    assert headline([], has_sites=False) == "No site yet"


def test_owner_is_told_of_the_own_site_and_of_no_other() -> None:
    found = [
        a_trouble(TroubleKind.PAUSED, "shop-1"),
        a_trouble(TroubleKind.PAUSED, "shop-2"),
        a_trouble(TroubleKind.CLOCK),
    ]
    (its,) = of_site(found, frozenset({"shop-1", "instance-1"}), is_owner=True)
    assert its.sentence == "paused of shop-1"
    assert "ratings-sync" not in its.next_step


@pytest.mark.parametrize("kind", sorted(OF_THE_INSTALLATION))
def test_owner_is_told_once_that_all_stands_still(kind: TroubleKind) -> None:
    found = [a_trouble(kind), a_trouble(TroubleKind.NO_WORKER)]
    told = of_site(found, frozenset({"shop-1"}), is_owner=True)
    assert [trouble.sentence for trouble in told] == [FOR_OWNERS]


def test_every_policy_is_a_question_with_every_answer() -> None:
    assert set(QUESTIONS) == set(Policy.CHOICES)
    for name, question in QUESTIONS.items():
        assert [answer.value for answer in question.answers] == list(Policy.CHOICES[name])
        assert question.default in Policy.CHOICES[name]
        assert question.group in GROUPS
        assert question.words.endswith("?")


def test_no_two_answers_of_a_question_say_the_same() -> None:
    for question in QUESTIONS.values():
        for one, other in itertools.combinations(question.answers, 2):
            assert one.words != other.words
