"""Waits for something, and goes on by itself when it comes."""

from __future__ import annotations

from sync_worker.core.hold_reasons.reason import ON_LOOK, ON_PERSON, HoldReason, Way

REASONS = (
    HoldReason(
        "unknown_entity",
        "The product is not mapped yet",
        "The rated thing is not mapped; or Wix Reviews does not know the product (any more).",
        (
            "Say which product it is: in the console, or with `map entities import FILE`;"
            " what waits for it then goes on. Where both sides list their products, `onboard"
            " pairs --confirm` maps what was proposed, and `site policy auto_map=sku` (or `id`)"
            " maps by itself. Or let equal ids map themselves (`site policy"
            " unknown_entity=same_id`) or ignore such things (`unknown_entity=skip`), then"
            " release."
        ),
        Way.MAP_PRODUCT,
        "the entity is mapped",
    ),
    HoldReason(
        "unknown_contact",
        "Nobody on the Wix site has this address",
        (
            "No contact of the Wix site has the rater's e-mail address; or a record whose rating"
            " is on Wix shows such an address now (with the policy `skip`, too: nothing is"
            " deleted)."
        ),
        (
            "Nothing, if the person may become a contact later. Or say which contact it is:"
            " in the console, or with `map contacts import FILE`. For all: `site policy"
            " unknown_contact=create` and release."
        ),
        Way.ADD_CONTACT,
        ON_PERSON,
    ),
    HoldReason(
        "no_email",
        "The person has no e-mail address",
        (
            "A Wix contact has no e-mail address, or the external record names none: nobody can"
            " be found on the other side."
        ),
        (
            "Add the address to the contact in Wix; Wix tells us. An external record without an"
            " address stays held: drop it."
        ),
        Way.WAIT,
        ON_PERSON,
    ),
    HoldReason(
        "address_unusable",
        "The address cannot be used",
        (
            "What stands where the address should be is none of one person: a list, `mailto:`, a"
            " name in brackets, invisible or control characters, more than 254 characters. It is"
            " looked up for nobody and made no contact."
        ),
        (
            "Correct it where it stands: on Wix the contact's event releases it; outside the"
            " record's next webhook, or the sweep, brings the corrected one, then drop this one."
        ),
        Way.WAIT,
        "the contact or its record shows another address",
    ),
    HoldReason(
        "people_joined",
        "Two people once had one address",
        (
            "An earlier version folded all letters, so that two people had one address"
            " (*straße@* and *strasse@*), and this rater's earlier ratings may stand under the"
            " other's contact."
        ),
        (
            "`held show` names the rater, `doctor` lists all such. Say with `map contacts import"
            " FILE` whose the address is; the import releases it."
        ),
        Way.ADD_CONTACT,
        ON_LOOK,
    ),
    HoldReason(
        "unknown_site",
        "No site is added for it",
        (
            "A verified event of a Wix instance, or of a connector, that no site is added for."
            " Kept 30 days, the newest 10,000 of each."
        ),
        "Add the site: `site add INSTANCE_ID --connector ID`; adding releases it.",
        Way.ADD_SITE,
        "its site is added",
    ),
    HoldReason(
        "site_paused",
        "The site is paused",
        "The site is paused.",
        "Resume the site: `site resume`.",
        Way.RESUME_SITE,
        "the site is resumed",
    ),
    HoldReason(
        "site_recovery",
        "The site recovers, and a delete waits for a yes",
        (
            "A delete of a site whose ledger was restored from a backup (`site recover`): the"
            " ledger may be wrong about it."
        ),
        (
            "Look at both sides (`held show`); drop what must not be deleted, then `site resume`"
            " releases the rest."
        ),
        Way.CONFIRM,
        "the site is resumed",
    ),
    HoldReason(
        "site_removed",
        "The app was removed from the site",
        (
            "The app was removed from the site. Only what its own words alone tell is held (a merge"
            " of contacts, a decision), for `RETENTION_REMOVED_DAYS`; all else has ended."
        ),
        "Install it again, or drop.",
        Way.WAIT,
        "the app is installed again",
    ),
    HoldReason(
        "no_account",
        "The site has no external account yet",
        "The app is installed on the site, and nobody has given its external account yet.",
        "Give it one; what waits goes on.",
        Way.ACCOUNT,
        "the site is given an account",
    ),
    HoldReason(
        "account_paused",
        "The account is paused",
        "The account of the site is paused (`account pause`); its deliveries are kept.",
        "Resume the account: `account resume`.",
        Way.ACCOUNT,
        "the account is resumed, or the site is given another one",
    ),
    HoldReason(
        "account_revoked",
        "The account was revoked",
        "The account of the site was revoked: its secrets are gone.",
        (
            "Give the site its account again; what waits goes on. A site that is not to be"
            " served any more: drop."
        ),
        Way.ACCOUNT,
        "the site is given an account again",
    ),
    HoldReason(
        "account_locked",
        "The secrets of the account do not open",
        (
            "The secrets of the account do not open: `SECRETS_KEY` holds no key that they were"
            " sealed for, or a row was damaged."
        ),
        "Set the key that they were sealed for, or give the secrets anew (`account set`).",
        Way.ACCOUNT,
        (
            "its secrets open: with the right SECRETS_KEY, which a worker looks for once a"
            " minute, or when they are given anew"
        ),
    ),
    HoldReason(
        "account_failing",
        "The account is refused",
        (
            "A remote does not accept our account: 401 also with a fresh token, or 403 for its"
            " cheap read, too (the manifest's `probe` or `list`; on Wix a query of one row)."
        ),
        (
            "Correct the credentials or permissions that `ratings-sync doctor` names. A probe"
            " each minute asks again; when it is accepted, all that waits goes on."
        ),
        Way.ACCOUNT,
        "the account is accepted again: a probe asks each minute",
    ),
    HoldReason(
        "awaiting_confirmation",
        "It was sent, and has not shown up yet",
        (
            "The external system takes ratings without answering with an id, and has not shown"
            " this one in time. Nothing is sent again before it is found."
        ),
        (
            "Look whether it is there: its webhook or the next sweep then releases it. If it"
            " never came, release: only then may it be sent again, after one more look."
        ),
        Way.RELEASE,
        ON_LOOK,
    ),
    HoldReason(
        "main_value_missing",
        "The main value is missing",
        (
            "Sub-ratings arrived, but not the main value, without which the record on the other"
            " side cannot exist."
        ),
        (
            "Nothing: the next delivery for the same rating looks again. Otherwise check the"
            " mapped fields (`map fields list`)."
        ),
        Way.WAIT,
        ON_LOOK,
    ),
)
