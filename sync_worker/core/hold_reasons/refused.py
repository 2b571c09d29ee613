"""The remote refuses, or what it says cannot be used."""

from __future__ import annotations

from sync_worker.core.hold_reasons.reason import IN_STEP_ONLY, ON_LOOK, ON_PERSON, HoldReason, Way

REASONS = (
    HoldReason(
        "unauthorized",
        "We may not touch this record",
        (
            "This record is refused to us, although the account is accepted: a permission is"
            " missing for it."
        ),
        "Give the permission there, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "refused",
        "The other side refuses it",
        "The remote refuses the request and would refuse it again.",
        (
            "`held show` says what the remote said: status, code and sentence; the log has the"
            " request id. Correct the cause, then release; or drop."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "words_refused",
        "The other side does not take the text",
        (
            "The other side refused a write with this title, text or reply (blocked words, emoji, a"
            " link). The stars have crossed without it; what stood there before still stands."
        ),
        (
            "`held show` says what the remote said. Edit the text where it was written: it crosses"
            " by itself then. Or change the filter there and release; or drop."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "organic_review",
        "Wix lets nobody change a review that a visitor wrote",
        (
            "Wix does not let us change a review that a visitor or member wrote on the site: it"
            " refused our update, or said that the review had changed and showed it at the very"
            " revision that we had named. Reviews that we brought to Wix are not concerned. What"
            " changed outside stays there; what changes on Wix goes on crossing."
        ),
        (
            "`held show` says what Wix said. Nothing is sent again before the next look. Undo"
            " the edit outside, make it on Wix as well, or drop. If what we create is refused,"
            " too (`unauthorized`), the app lacks *Manage Reviews*."
        ),
        Way.CHOOSE_SIDE,
        ON_LOOK,
    ),
    HoldReason(
        "record_locked",
        "The other side lets nobody change this record",
        (
            "The record says itself that it may not be changed, or not be deleted (bought from"
            " another platform, older than allowed). Nothing was sent. What changes there goes on"
            " crossing to Wix."
        ),
        (
            "Undo the change on Wix, make it there by hand, or drop. It crosses by itself as soon"
            " as the record may be changed. `on_unsupported: ignore` in the manifest no longer"
            " holds such."
        ),
        Way.CHOOSE_SIDE,
        ON_LOOK,
    ),
    HoldReason(
        "conflict_unexplained",
        "The other side refuses the change, and shows no reason",
        (
            "The remote refused a write since the record had changed, and then showed it"
            " unchanged, at the very revision that we had named: to try again would end the"
            " same."
        ),
        "Look at the record there (is it locked, or kept for somebody?), then release; or drop.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "duplicate_unseen",
        "The other side has one already, and does not show it",
        (
            "The remote refuses a new record since this person has one for this thing already,"
            " and shows it to no look, four times within a minute: its search lags, or"
            " moderation hides the record from us (on Wix: the app lacks *Manage Reviews*, or"
            " the review was rejected)."
        ),
        "Look there for the record: publish it, or delete it, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "contact_unknown",
        "Wix does not know the contact any more",
        "Wix does not know the contact any more (deleted, or merged away).",
        "Release: the address is looked up anew. Otherwise correct `map contacts`.",
        Way.RELEASE,
        ON_PERSON,
    ),
    HoldReason(
        "redirected",
        "The other side sends us elsewhere",
        (
            "The remote answered with a redirect, and the message says where to. Those are never"
            " followed."
        ),
        "Correct the base address in the settings or the manifest.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "host_not_allowed",
        "The address is not one of those that we may call",
        "A call would have gone to a host that the manifest does not allow.",
        "Add it to `allowed_hosts` if it is right.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "cannot_write",
        "The connector cannot write this rating",
        "The manifest's body or address for a write could not be filled from this rating.",
        "Correct the manifest (docs/connectors.md), then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "malformed_record",
        "A record could not be read",
        "A record was not in the form that the contract or the manifest says.",
        "Correct the manifest's paths, or report it to the system's maker; then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "unusable_id",
        "The id can be none",
        (
            "A signed webhook names a record by an id that can be none: longer than the ledger's"
            " columns, or with characters that cannot be printed."
        ),
        (
            "`held show ID` shows what was told. Report it to the system's maker, then drop it;"
            " the record itself, if there is one, is found by the next sweep."
        ),
        Way.DROP,
        "never: its id names no record",
    ),
    HoldReason(
        "unstorable",
        "A value that no database column holds",
        (
            "The ledger's database cannot hold a value of this delivery: a number over 64 bits,"
            " a text too long for its column."
        ),
        "The log names the database's error. Report it to us with the kind of value; then drop it.",
        Way.DROP,
        ON_LOOK,
    ),
    HoldReason(
        "malformed_event",
        "The event does not say whom it is about",
        "A merge event of Wix does not name both contacts.",
        "Report it to Wix, then drop it.",
        Way.DROP,
        "never: it speaks of no rating",
    ),
    HoldReason(
        "malformed_listing",
        "A list could not be read",
        (
            "A listing held no list where the manifest looks for it (a page of maintenance, a"
            " changed answer)."
        ),
        "Correct `items_path` in the manifest, or wait until the system is well; then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "listing_cut",
        "A list ended too early",
        "A listing ended before the total that the system itself names.",
        "Release when the system is well again; if it stays, check `pagination` in the manifest.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "bad_cursor",
        "A place in a list is not known any more",
        "A kept place in a listing is not one of this manifest's form.",
        (
            "Run the command again from the beginning: the manifest's `pagination` was changed"
            " meanwhile."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "not_listed",
        "The other side does not list it",
        "The system gives single records only through its listing, and it does not show this one.",
        "Look whether the record is there; release later, as listings may lag.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "unsupported",
        "The other side does not offer this",
        "The external system does not offer this write (its manifest says so).",
        (
            "Do it there by hand, then release; or drop. `on_unsupported: ignore` in the"
            " manifest no longer holds such."
        ),
        Way.DROP,
        ON_LOOK,
    ),
    HoldReason(
        "skipped",
        "The other side does not take this one",
        "The system does not take this one, says a rule of its manifest.",
        "Drop, or correct the rule in `errors`.",
        Way.DROP,
        ON_LOOK,
    ),
    HoldReason(
        "paging_repeats",
        "A list gave the same page twice",
        (
            "A listing gave a page or a cursor again: reading on would never end. Most often the"
            " system ignores the parameter by which a page is asked for."
        ),
        (
            "Correct the key of the manifest that the error names (`pagination.param`,"
            " `next_path`), then release."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "paging_too_long",
        "A list has too many pages",
        "A listing has more pages than allowed.",
        "Raise `pagination.max_pages` in the manifest if it is right, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "misconfigured",
        "A setting is wrong",
        (
            "A setting, the manifest or a mapping is wrong, or the remote does not offer the"
            " operation."
        ),
        "`ratings-sync doctor`, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "too_costly",
        "It took too much work",
        (
            "Working on this delivery took more processor time than `DELIVERY_CPU_SECONDS`; what"
            " was written before stays. Everything else went on."
        ),
        (
            "`held show ID` shows what was told; look for an answer or a listing of unusual"
            " size. Raise the setting if it is right, then release."
        ),
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "worker_died",
        "Workers ended in the middle of it",
        (
            "Ten to twelve workers in a row ended in the middle of this delivery, over some 40"
            " minutes, or stood still for so long that they lost its lease: killed for want of"
            " memory, by a crash inside a library, or by a value that costs too much. Everything"
            " else went on."
        ),
        (
            "Look why the workers ended (`dmesg`, `docker compose events`, their last log lines"
            " name the `inbox_id`); give them more memory or correct the cause, then release."
        ),
        Way.RELEASE,
        IN_STEP_ONLY,
    ),
    HoldReason(
        "attempts_exhausted",
        "Tried for 48 hours without success",
        "Tried for 48 hours without success.",
        "When the remote is back: release all of this reason.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "entity_mapped_elsewhere",
        "The product is mapped to another one",
        "With `unknown_entity=same_id` the id belongs to another pair already.",
        "Correct the pair with `map entities import`, then release.",
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "id_linked_elsewhere",
        "The record belongs to another rating already",
        "The record belongs to the rating of another person or entity already.",
        (
            "`history ID` shows which. Two contacts of one person: merge them in Wix. A copy of"
            " ours that was given to this person outside, or names them by mistake: give it back"
            " there, or delete it. Then release."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
)
