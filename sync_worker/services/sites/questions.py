"""Each policy of a site as a question in plain words, with what every answer does. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sync_worker.core.said import marked
from sync_worker.core.values import Policy


@dataclass(frozen=True, slots=True)
class Answer:
    """``value``: as commands and the ledger have it."""

    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Question:
    """``releases``: reasons of what is held since this is answered as it is."""

    name: str
    group: str
    words: str
    answers: Sequence[Answer]
    releases: Sequence[str] = ()

    @property
    def default(self) -> str:
        return str(getattr(Policy(), self.name))

    def words_of(self, value: str) -> str:
        """What an answer does; a value of a newer version is shown as it is."""
        return next((one.words for one in self.answers if one.value == value), value)


FLOW, PEOPLE, DIFFERENCES, WORDS = "what_crosses", "people", "differences", "words"
GROUPS = {
    FLOW: marked("What crosses"),
    PEOPLE: marked("People and products"),
    DIFFERENCES: marked("When both sides differ"),
    WORDS: marked("Texts, replies and pictures"),
}


def _question(
    name: str, group: str, words: str, answers: Mapping[str, str], releases: Sequence[str] = ()
) -> Question:
    return Question(
        name, group, words, tuple(Answer(*answer) for answer in answers.items()), releases
    )


_ALL = (
    _question(
        "direction",
        FLOW,
        "Which way may ratings travel?",
        {
            "both": "Both ways.",
            "to_wix": "Only to Wix: nothing is written outside.",
            "to_external": "Only from Wix: nothing is written on Wix.",
        },
    ),
    _question(
        "deletes",
        FLOW,
        "A rating is deleted on one side. What about its twin?",
        {
            "propagate": "It is deleted, too.",
            "ignore": "It stays. (A privacy request is always followed.)",
        },
    ),
    _question(
        "rejected_import",
        FLOW,
        "The owner rejects on Wix what came from outside. What about the original?",
        {"keep": "It stays outside.", "delete": "It is deleted outside, too."},
    ),
    _question(
        "wix_approve_ours",
        FLOW,
        "What we bring to Wix waits there for approval. Who approves it?",
        {
            "leave": "The owner, on Wix.",
            "approve": "We approve what we brought, and nothing else.",
        },
    ),
    _question(
        "unknown_contact",
        PEOPLE,
        "Somebody outside has rated who is not a contact of the Wix site. What then?",
        {
            "hold": "The rating waits until a contact with that address appears.",
            "create": "The person becomes a contact, and the rating crosses.",
            "skip": "The rating does not cross.",
        },
        ("unknown_contact",),
    ),
    _question(
        "wix_anonymous",
        PEOPLE,
        "Somebody on Wix has rated without an address. What then?",
        {
            "hold": "The rating waits until the address becomes known.",
            "skip": "The rating does not cross.",
        },
        ("anonymous_visitor", "no_email"),
    ),
    _question(
        "unknown_entity",
        PEOPLE,
        "A product is rated that is not mapped. What then?",
        {
            "hold": "The rating waits until somebody maps the product.",
            "same_id": "The product with the same id on the other side is its twin.",
            "skip": "The rating does not cross.",
        },
        ("unknown_entity",),
    ),
    _question(
        "auto_map",
        PEOPLE,
        "May products be mapped without asking?",
        {
            "off": "No: pairs are proposed, and a person confirms them.",
            "sku": "Yes, where exactly one product on each side has the same SKU.",
            "id": "Yes, where exactly one product on each side has the same id.",
        },
    ),
    _question(
        "guest_may_change",
        PEOPLE,
        "Somebody who was not logged in changes the rating of a known person. What then?",
        {
            "hold": "It waits for a person: anybody may know an address.",
            "allow": "It counts.",
        },
        ("guest_change",),
    ),
    _question(
        "first_difference",
        DIFFERENCES,
        "Both sides have a rating when they are first compared, and they differ. Which stays?",
        {
            "wix": "That on Wix.",
            "external": "That outside.",
            "hold": "Neither is changed; a person decides.",
        },
        ("first_difference", "scale_changed"),
    ),
    _question(
        "conflict",
        DIFFERENCES,
        "A rating was changed on both sides. Which change wins?",
        {
            "latest": "The newer one.",
            "wix": "That on Wix.",
            "external": "That outside.",
        },
    ),
    _question(
        "edit_or_delete",
        DIFFERENCES,
        "A rating was deleted on one side and changed on the other. Which wins?",
        {"edit": "The change: the rating is made again.", "delete": "The deletion."},
    ),
    _question(
        "too_long",
        WORDS,
        "A text is longer than the other side takes. What then?",
        {
            "hold": "The stars cross, the text waits until it is shortened.",
            "truncate": "Its beginning crosses; the whole text stays where it was written.",
        },
        ("too_long",),
    ),
    _question(
        "replies",
        WORDS,
        "Where do the shop's replies to reviews travel?",
        {
            "off": "Nowhere: they stay where they were written.",
            "to_wix": "To Wix.",
            "to_external": "Outside.",
            "both": "Both ways.",
        },
    ),
    _question(
        "pictures",
        WORDS,
        "Do pictures of a review go along when it is made on Wix?",
        {"off": "No.", "to_wix": "Yes."},
    ),
)
QUESTIONS: Mapping[str, Question] = MappingProxyType({one.name: one for one in _ALL})
