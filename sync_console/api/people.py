"""People of the console for programs: invited, given roles, put out."""

from __future__ import annotations

from dataclasses import replace

from flask import g, url_for

from sync_console.api import answers
from sync_console.api.asked_of_sites import AsSeen, Invited, NewRole
from sync_console.api.endpoints import post
from sync_console.web.parts import parts
from sync_worker.services.access.people import Person
from sync_worker.services.access.who import Right, Role


def _without_link(answer: answers.InvitedNow) -> answers.InvitedNow:
    """It lets somebody in, so it is written down nowhere."""
    return replace(answer, link=None)


@post("/users", Right.USERS, Invited, kept=_without_link)
def users_invite(asked: Invited) -> answers.InvitedNow:
    """Invite somebody new, or give a new link to who is there in that role.

    ``link`` lets in once, within 15 minutes; sent again with its key, the answer has none.
    """
    invited = parts().access.people.invite(g.who, asked.name, Role(asked.role))
    link = parts().public_url + url_for("invitation.page", secret=invited.secret)
    return answers.InvitedNow(invited.person, link)


@post("/users/<name>/role", Right.USERS, NewRole)
def user_role(asked: NewRole, name: str) -> Person:
    """Another role, from their next click on."""
    return parts().access.people.set_role(g.who, name, Role(asked.role), asked.version)


@post("/users/<name>/end-sessions", Right.USERS)
def user_end_sessions(_: object, name: str) -> answers.EndedSessions:
    """They have to log in again."""
    return answers.EndedSessions(parts().access.people.end_sessions(g.who, name))


@post("/users/<name>/remove", Right.USERS, AsSeen)
def user_remove(asked: AsSeen, name: str) -> answers.Sentence:
    """They are out at once, and come in no more; the name stays theirs."""
    parts().access.people.remove(g.who, name, asked.version)
    return answers.Sentence(f"{name} is out, and comes in no more.")
