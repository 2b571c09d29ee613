"""A person decides."""

from __future__ import annotations

from sync_worker.core.hold_reasons.reason import IN_STEP_ONLY, ON_LOOK, HoldReason, Way

REASONS = (
    HoldReason(
        "first_difference",
        "Both sides had a rating, and they differ",
        (
            "Both sides already had a rating when they were first compared, they differ, and the"
            " policy says hold."
        ),
        (
            "Choose which side is right: in the console, or change the other one there,"
            " then release. For all: `site policy first_difference=wix` (or `external`) and"
            " release."
        ),
        Way.CHOOSE_SIDE,
        ON_LOOK,
    ),
    HoldReason(
        "scale_changed",
        "The scale was changed, and both sides differ by the new one",
        (
            "A field has new scales, the values of both sides do not agree by them, and the"
            " policy `first_difference` says hold."
        ),
        "As for `first_difference`.",
        Way.CHOOSE_SIDE,
        ON_LOOK,
    ),
    HoldReason(
        "anonymous_visitor",
        "Nobody knows who rated",
        "A visitor whom Wix does not name as a contact rated.",
        "Drop, or `site policy wix_anonymous=skip` for the future.",
        Way.DROP,
        "the next look at its record finds who rated",
    ),
    HoldReason(
        "off_scale",
        "The value is not on the scale",
        "A value does not lie on the scale that is mapped.",
        "`held show` tells the value; correct the scale (`map fields import`), then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "too_long",
        "The text is too long for the other side",
        (
            "A text is longer than the other side takes, or was changed on the side that has it"
            " only shortened. The stars have crossed; the text stands as it was on both sides."
        ),
        (
            "Shorten the text where it was written: that ends it by itself. For all: `site"
            " policy too_long=truncate` sends as much as the other side takes; a shortened text"
            " is never written back."
        ),
        Way.WAIT,
        ON_LOOK,
    ),
    HoldReason(
        "fight",
        "Something keeps changing it back",
        (
            "More than 12 writes to one rating within an hour: something keeps changing it back."
            " The link stands still; both values are in the history."
        ),
        "Find who changes it (another integration, another app), stop that, then release.",
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "create_failed",
        "The other side took it, and then did not make it",
        (
            "The external system accepted a rating and then told that it was not made. The"
            " rating stands still; nothing is sent again."
        ),
        (
            "Look there for the reason (reviews switched off, a filter), then release: we look"
            " once more and send it again."
        ),
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "link_held",
        "The rating stands still for another reason",
        "A further delivery for a link that stands still.",
        "Decide the one that holds the link (`fight`), then release both.",
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "stopped",
        "A person stopped it",
        (
            "A person asked that nothing more is written for this rating. The link stands still;"
            " what comes meanwhile waits as `link_held`."
        ),
        "When it may go on: `rating go-on`, or release it.",
        Way.RELEASE,
        "never: a person lets it go on",
    ),
    HoldReason(
        "decision_outdated",
        "The rating was edited after a person decided",
        (
            "A person decided what both sides show, or undid a change; before that was written,"
            " somebody edited the rating. That edit stands, and nothing of the decision is"
            " written."
        ),
        (
            "Look at what is there now (`rating show`), and decide again; or drop. A release"
            " carries the decision out all the same."
        ),
        Way.CONFIRM,
        (
            "the next look at both sides finds them in step; the decision is written only if a"
            " person releases it"
        ),
    ),
    HoldReason(
        "guest_change",
        "A guest has changed the rating of a known person",
        (
            "Somebody who was not logged in, or whom the external system does not verify, has"
            " rated under the address of a person who has rated already, and differently."
            " Anybody may know an address."
        ),
        (
            "Ask the person, or look at the review. `held release` lets this one in; deleting"
            " the review there, or its saying the same as Wix, ends it by itself, as does a"
            " newer rating by the person on Wix. For all: `site policy guest_may_change=allow`"
            " and release."
        ),
        Way.CONFIRM,
        (
            "the next look at the rating finds both sides in step, the guest's record gone, or"
            " the member's newer word"
        ),
    ),
    HoldReason(
        "delete_brake",
        "Very many deletes at once",
        "Deletes to one side within an hour reached 20, or 5 % of the links if more.",
        (
            "If it was meant: release, at most so many an hour. If not: find out what deleted"
            " them, restore them there, then release."
        ),
        Way.CONFIRM,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "moved_onto_rating",
        "The record was moved onto another rating of the same person",
        (
            "Outside somebody gave the record another address or another product, and the person"
            " it names now has a rating for that already. Nothing is changed: the old rating"
            " stays on Wix, and so does the other one."
        ),
        (
            "Delete one of the two outside, or give the record its former address or product"
            " back: that ends it by itself. `held release` lets it go: the old rating on Wix is"
            " deleted, and of the two records of that person the newest stands."
        ),
        Way.CONFIRM,
        ON_LOOK,
    ),
    HoldReason(
        "several_records",
        "One person has two ratings for one thing",
        "One person has two live records for one entity on one side.",
        "Delete one of them on that side, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "normalised_by_remote",
        "The other side changed what we wrote",
        (
            "The remote turned the value, or the text, that we wrote into one that means"
            " something else, or said that it was done and did not apply it."
        ),
        (
            "Look at the record there; check the scales, the remote may round. A release writes"
            " it again, and so does the next sweep, once."
        ),
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "not_deleted",
        "It should be deleted, and is still there",
        (
            "A sweep found a record alive where it counts as deleted, unchanged since (by its"
            " revision, or, where a system counts none, by the values that our delete took): the"
            " system had said that the delete was done. It is not brought back on the other"
            " side."
        ),
        (
            "Delete it there by hand, then release or drop. To keep it: change it there, then it"
            " counts as restored."
        ),
        Way.RELEASE,
        "the next look finds the record gone, or changed since",
    ),
    HoldReason(
        "content_replaced",
        "Wix has changed more than we asked for",
        (
            "Wix Reviews: with an update of ours Wix has taken words or pictures that the update"
            " did not touch. The rating stands still, and no further update goes to reviews with"
            " pictures until a probe of the site (`doctor --probe-reviews`) finds that Wix merges."
        ),
        (
            "Put back on Wix what was lost (`held show`, the history), then release. Tell us:"
            " Wix documents that an update merges."
        ),
        Way.RELEASE,
        "never: a person puts back what was lost, and releases it",
    ),
    HoldReason(
        "moderated",
        "Moderation keeps it back",
        (
            "The record on the other side exists but is withdrawn by moderation there, or waits"
            " for it, and we have not brought it there; or an edit of its words waits with it."
        ),
        "Publish it there, or drop.",
        Way.WAIT,
        ON_LOOK,
    ),
    HoldReason(
        "maybe_unpublished",
        "Wix does not show it any more",
        (
            "Wix Reviews does not show a review any more that we had brought there and that was"
            " published, and it has not said that it was deleted. Where Wix leaves out what is"
            " not published without a word, its owner may have rejected it; then its source"
            " stays. Nothing is written for it."
        ),
        (
            "Give the app *Manage Reviews* (`doctor`), and prove with `doctor --probe-reviews`"
            " that unpublished reviews are shown: then a sweep tells the two apart. If you know"
            " that it was deleted, and its source is to go: delete that outside."
        ),
        Way.WAIT,
        "Wix shows the review again, or tells that it was deleted; or its record outside goes",
    ),
    HoldReason(
        "no_entity",
        "It does not say what it rates",
        "The external record does not say what it rates.",
        "Check `fields.entity` in the manifest, then release; or drop.",
        Way.RELEASE,
        "the next look at its record finds what it rates",
    ),
)
