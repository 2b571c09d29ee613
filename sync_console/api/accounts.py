"""The account of a site for programs. Values of secrets come in, and never out."""

from __future__ import annotations

from collections.abc import Callable

from flask import g

from sync_console.api import answers
from sync_console.api.asked_of_sites import (
    AsSeen,
    ChangedAccount,
    EndedAccount,
    GivenAccount,
    PausedAccount,
    WhichSettings,
)
from sync_console.api.endpoints import get, post
from sync_console.api.sites import SITE
from sync_console.api.theirs import known_site
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.core.errors import Misconfigured
from sync_worker.services.access.who import Right
from sync_worker.services.accounts.desk import OtherName
from sync_worker.services.accounts.document import ShownAccount
from sync_worker.services.accounts.forms import schema_of
from sync_worker.services.accounts.giving import BadValues


@get(f"{SITE}/account", Right.LOOK)
def site_account(_: object, site_id: int) -> ShownAccount:
    """The account that a site uses; what the shop gave is for who has the scope ``account``."""
    known_site(site_id)
    return parts().account_desk.shown(g.who, site_id)


@get(f"{SITE}/account/settings", Right.ACCOUNT, WhichSettings)
def site_account_settings(asked: WhichSettings, site_id: int) -> answers.AccountSettings:
    """What a shop has to give, as a JSON Schema for ``values``."""
    known_site(site_id)
    page = parts().account_desk.page(g.who, site_id, asked.connector)
    declared = schema_of(page.fields)
    return answers.AccountSettings(page.connector, page.connectors, page.why_none, declared)


@post(f"{SITE}/account", Right.ACCOUNT, GivenAccount)
def site_account_give(asked: GivenAccount, site_id: int) -> answers.AccountNow:
    """Give a site its account; it is at work at once, and a worker tries it out."""
    known_site(site_id)
    desk = parts().account_desk
    if asked.connector not in desk.connectors:
        raise NotAsked({"connector": f"there are {', '.join(desk.connectors) or 'none'}"})
    is_same = asked.is_same_shop
    return _changed(
        site_id,
        lambda: desk.give(g.who, site_id, asked.connector, asked.values, is_same_shop=is_same),
    )


@post(f"{SITE}/account/change", Right.ACCOUNT, ChangedAccount)
def site_account_change(asked: ChangedAccount, site_id: int) -> answers.AccountNow:
    """New values of an account; what is not named stays."""
    known_site(site_id)
    desk, is_same = parts().account_desk, asked.is_same_shop
    return _changed(
        site_id,
        lambda: desk.change(g.who, site_id, asked.values, asked.version, is_same_shop=is_same),
    )


@post(f"{SITE}/account/probe", Right.ACCOUNT)
def site_account_probe(_: object, site_id: int) -> answers.AccountNow:
    """Let a worker try it out; what it finds stands in ``probe`` within moments."""
    known_site(site_id)
    return _changed(site_id, lambda: parts().account_desk.probe(g.who, site_id))


@post(f"{SITE}/account/address/rotate", Right.ACCOUNT, AsSeen)
def site_account_address_rotate(asked: AsSeen, site_id: int) -> answers.AccountNow:
    """A new address for its webhooks; the old one is taken for a day."""
    known_site(site_id)
    return _changed(
        site_id, lambda: parts().account_desk.rotate_address(g.who, site_id, asked.version)
    )


@post(f"{SITE}/account/pause", Right.ACCOUNT, PausedAccount)
def site_account_pause(asked: PausedAccount, site_id: int) -> answers.AccountNow:
    """What comes meanwhile is kept and waits."""
    known_site(site_id)
    desk, why = parts().account_desk, asked.why.strip()
    return _changed(site_id, lambda: desk.pause(g.who, site_id, why, asked.version))


@post(f"{SITE}/account/resume", Right.ACCOUNT, AsSeen)
def site_account_resume(asked: AsSeen, site_id: int) -> answers.AccountNow:
    """It goes on, with what has waited."""
    known_site(site_id)
    return _changed(site_id, lambda: parts().account_desk.resume(g.who, site_id, asked.version))


@post(f"{SITE}/account/revoke", Right.ACCOUNT, EndedAccount)
def site_account_revoke(asked: EndedAccount, site_id: int) -> answers.AccountNow:
    """End the account for good: its secrets and addresses open nothing any more."""
    known_site(site_id)
    desk, why = parts().account_desk, asked.why.strip()
    return _changed(site_id, lambda: desk.revoke(g.who, site_id, why, asked.name, asked.version))


def _changed(site_id: int, do: Callable[[], str]) -> answers.AccountNow:
    """Raises NotAsked for values that cannot be, by their names."""
    try:
        sentence = do()
    except BadValues as bad:
        raise NotAsked({f"values.{name}": why for name, why in bad.problems.items()}) from None
    except OtherName as other:
        raise NotAsked({"name": other.message}) from None
    except Misconfigured as wrong:
        raise NotAsked({"account": wrong.message}) from None
    return answers.AccountNow(sentence, parts().account_desk.seen_last(g.who, site_id))
