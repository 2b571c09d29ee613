"""What a remote said of a refused write, without what we had sent it."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.remotes.http.answers import AnswerReader
from sync_worker.remotes.http.calls import Answer, Call, Sent
from sync_worker.remotes.http.waits import Waits

SENT = {
    "reviewer": "Ada Müller",
    "reviewer_email": "ada@exämple.com",
    "review": "It is of good quality, and the invalid parts were exchanged",
    "rating": 5,
}
CALL = Call("POST", "reviews", "create", json=SENT, is_write=True)


def refusal(status: int, body: Any, call: Call = CALL) -> Permanent:
    reader = AnswerReader("external:shop", lambda body: "", Waits())
    failure = reader.failure_in(call, Answer(status, {}, body))
    assert isinstance(failure, Permanent)
    return failure


FORMS = {
    "WordPress": (
        {"code": "rest_invalid_param", "message": "Invalid parameter(s): reviewer_email"},
        "400 rest_invalid_param: Invalid parameter(s): reviewer_email",
    ),
    "OAuth": (
        {"error": "invalid_scope", "error_description": "The scope is wrong"},
        "400: The scope is wrong",
    ),
    "RFC 9457": (
        {"type": "about:blank", "title": "Bad", "detail": "rating is above 5"},
        "400 about:blank: rating is above 5",
    ),
    "GraphQL, Directus": (
        {"errors": [{"message": "No access", "extensions": {"code": "FORBIDDEN"}}]},
        "400 FORBIDDEN: No access",
    ),
    "nested": (
        {"error": {"code": "bad_rating", "message": "Out of range"}},
        "400 bad_rating: Out of range",
    ),
    "a text": ({"error": "Out of range"}, "400: Out of range"),
    "a list of texts": ({"errors": ["Out of range"]}, "400: Out of range"),
    "nothing": (None, "400"),
    "a page's marks": ({"message": "<b>Out</b> of\n range\x1b[2J"}, "400: Out of range\\x1b[2J"),
}


@pytest.mark.parametrize("form", FORMS)
def test_code_and_sentence_are_found_in_the_usual_forms(form: str) -> None:
    body, words = FORMS[form]
    assert refusal(400, body).facts.answer == words


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("ada@exämple.com is no address", "… is no address"),
        ("Reviewer 'Ada Müller' is banned", "Reviewer '…' is banned"),
        ("ADA MÜLLER is banned", "… is banned"),
        ("Müller is banned", "… is banned"),
        ("eve@example.com has rated already", "… has rated already"),
        ("call +49 170 1234567 for help", "call … for help"),
        ("It is of good quality, and the invalid parts were exchanged: too long", "…: too long"),
        ("The rating is invalid", "The rating is invalid"),
    ],
)
def test_what_was_sent_is_left_out_of_the_sentence(said: str, left: str) -> None:
    """Names, addresses and words come back in errors, and must not reach logs and history."""
    assert refusal(400, {"message": said}).facts.said == left


def test_success_of_another_kind_shows_no_part_of_its_record() -> None:
    read = Call("GET", "reviews/1", "get", successes=frozenset({204}))
    assert refusal(200, {"message": "Ada writes"}, read).facts.said == ""


def test_endless_sentence_is_cut() -> None:
    assert len(refusal(400, {"message": "x y " * 100_000}).facts.said) <= 200


TOKEN = "abcdefg123"
PAIR = "Y2tfbGl2ZTpzM2NyZXQ="  # ck_live:s3cret
PROOFS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "bearer": ({"Authorization": f"Bearer {TOKEN}"}, "", f"bad token {TOKEN}", "bad token …"),
    "whole header": (
        {"Authorization": f"Bearer {TOKEN}"},
        "",
        f"'Bearer {TOKEN}' is wrong",
        "'…' is wrong",
    ),
    "a part of it": ({"Authorization": f"Token token={TOKEN}"}, "", f"bad {TOKEN}", "bad …"),
    "basic, as sent": ({"Authorization": f"Basic {PAIR}"}, "", f"bad {PAIR}", "bad …"),
    "basic, the pair": (
        {"Authorization": f"Basic {PAIR}"},
        "",
        "bad ck_live:s3cret",
        "bad …",
    ),
    "basic, its password": (
        {"Authorization": f"Basic {PAIR}"},
        "",
        "s3cret is not of ck_live",
        "… is not of …",
    ),
    "in base64": (
        {"X-Token": TOKEN},
        "",
        "bad YWJjZGVmZzEyMw==",
        "bad …",
    ),
    "in the address": ({}, "https://a.example/r?page=2&key=a%2Fb%2Bc12", "bad a/b+c12", "bad …"),
    "as an address writes it": (
        {},
        "https://a.example/r?key=a%2Fb%2Bc12",
        "bad a%2Fb%2Bc12",
        "bad …",
    ),
    "the word before it stays": (
        {"Authorization": f"Bearer {TOKEN}"},
        "",
        "a Bearer token is needed",
        "a Bearer token is needed",
    ),
}


@pytest.mark.parametrize("form", PROOFS)
def test_own_credentials_are_left_out_of_the_answer(form: str) -> None:
    """Some systems answer with the token that they refuse."""
    proof, url, said, left = PROOFS[form]
    reader = AnswerReader("external:shop", lambda body: "", Waits())
    sent = Sent(url, proof)
    read = Call("GET", "reviews", "list")
    failure = reader.failure_in(read, Answer(401, {}, {"error": said}, sent=sent))
    assert isinstance(failure, Permanent)
    assert failure.facts.said == left


def test_token_longer_than_what_is_shown_is_left_out_whole() -> None:
    reader = AnswerReader("external:shop", lambda body: "", Waits())
    token = "eyJhbGciOi" * 120
    sent = Sent("", {"Authorization": f"Bearer {token}"})
    body = {"error": f"bad {token}", "code": token}
    failure = reader.failure_in(Call("GET", "r", "list"), Answer(401, {}, body, sent=sent))
    assert isinstance(failure, Permanent)
    assert (failure.facts.said, failure.facts.code) == ("bad …", "…")


def test_own_credentials_are_left_out_of_code_and_request_id() -> None:
    reader = AnswerReader("external:shop", lambda body: "", Waits())
    sent = Sent("", {"Authorization": f"Bearer {TOKEN}"})
    answer = Answer(401, {"X-Request-Id": f"r-{TOKEN}"}, {"code": f"bad:{TOKEN}"}, sent=sent)
    failure = reader.failure_in(Call("GET", "reviews", "list"), answer)
    assert isinstance(failure, Permanent)
    assert (failure.facts.code, failure.facts.request_id) == ("bad:…", "r-…")


REVIEW = "I have diabetes &amp; this mug broke. Anna Weber, 12 Mill Lane"
QUOTES = {
    "cut": (REVIEW[:34] + "...", "'…...' is not allowed"),
    "cut at both ends": ("tes & this mug broke. Anna", "'tes & …' is not allowed"),
    "without its marks": ("I have diabetes & this mug broke. Anna Weber, 12", "'…' is not allowed"),
    "in small letters, of other signs": ("i have diabetes - this mug", "'…' is not allowed"),
    "in parts": ("this mug broke' near 'Anna Weber, 12", "'…' near '…' is not allowed"),
}


@pytest.mark.parametrize("form", QUOTES)
def test_parts_of_a_text_are_left_out_in_other_forms(form: str) -> None:
    quoted, said = QUOTES[form]
    call = Call("POST", "reviews", "create", json={"review": REVIEW}, is_write=True)
    failure = refusal(400, {"message": f"'{quoted}' is not allowed"}, call)
    assert failure.facts.said == said


def test_words_that_a_sentence_shares_by_chance_stay() -> None:
    said = "The parts of this review were refused, and it is no use"
    assert refusal(400, {"message": said}).facts.said == said
