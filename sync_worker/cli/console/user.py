"""``ratings-sync console user``: who may use the console."""

from __future__ import annotations

import click

from sync_worker.cli.asking import agree
from sync_worker.cli.console.parts import access, console_url, somebody
from sync_worker.cli.options import JSON, PAGE_AFTER, PAGE_LIMIT
from sync_worker.cli.output import print_json, say
from sync_worker.services.access.people import OF_PEOPLE
from sync_worker.services.access.who import Role

NAME = click.argument("name")
ROLES = click.Choice([str(role) for role in OF_PEOPLE])


@click.command("add", epilog="Example: ratings-sync console user add kim --role support")
@NAME
@click.option("--role", type=ROLES, default="admin", show_default=True, help="What they may do.")
@JSON
def add(name: str, role: str, as_json: bool) -> None:
    """Let somebody in: prints a link for one use within 15 minutes, where they choose a password.

    For somebody who is there already, a new link.
    """
    invited = access().people.invite(somebody(), name, Role(role))
    link = f"{console_url()}/invitation/{invited.secret}"
    if as_json:
        print_json({"user": invited.person, "link": link})
        return
    say(f"{invited.person.name} ({invited.person.role}) comes in here, once, within 15 minutes:")
    click.echo(link)


@click.command("list", epilog="Example: ratings-sync console user list --json")
@PAGE_AFTER
@PAGE_LIMIT
@JSON
def list_users(after: int, limit: int, as_json: bool) -> None:
    """Who may come in, in pages."""
    page = access().people.page(somebody(), after, limit)
    if as_json:
        following = None if page.next_after is None else f"--after {page.next_after}"
        print_json({"users": page.people, "next_after": page.next_after, "next": following})
        return
    if not page.people:
        click.echo("nobody yet; somebody is let in by: ratings-sync console user add", err=True)
    for person in page.people:
        seen = f"{person.last_seen:%Y-%m-%d %H:%M} UTC" if person.last_seen else "not seen lately"
        say(f"{person.name}  {person.role}  {person.sessions} sessions, {seen}")
    if page.next_after is not None:
        click.echo(f"more: ratings-sync console user list --after {page.next_after}", err=True)


@click.command("role", epilog="Example: ratings-sync console user role kim admin")
@NAME
@click.argument("role", type=ROLES)
@JSON
def change_role(name: str, role: str, as_json: bool) -> None:
    """Give somebody another role; it counts from their next click on."""
    changed = access().people.set_role(somebody(), name, Role(role))
    if as_json:
        print_json(changed)
        return
    say(f"{changed.name} is {changed.role} now")


@click.command("end-sessions", epilog="Example: ratings-sync console user end-sessions kim")
@NAME
@JSON
def end_sessions(name: str, as_json: bool) -> None:
    """Log somebody out everywhere; their password stays."""
    ended = access().people.end_sessions(somebody(), name)
    if as_json:
        print_json({"user": name, "ended": ended})
        return
    say(f"{ended} sessions of {name} have ended")


@click.command("remove", epilog="Example: ratings-sync console user remove kim --yes")
@NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def remove(name: str, yes: bool, as_json: bool) -> None:
    """Let somebody in no more; they are out at once, and the name stays theirs in the audit."""
    agree(f"Remove {name}?", "--yes", is_given=yes)
    access().people.remove(somebody(), name)
    sentence = f"{name} is out, and comes in no more"
    if as_json:
        # ``user`` and ``removed``: older.
        print_json({"sentence": f"{sentence}.", "user": name, "removed": True})
        return
    say(sentence)
