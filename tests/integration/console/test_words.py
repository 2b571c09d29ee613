"""Words of pages: what is put together from others' words is text, whatever stands in it."""

from __future__ import annotations

from flask import render_template_string

from tests.integration.console.ground import Ground

HOSTILE = "<b>5 % of it</b>"


def test_text_that_is_put_together_is_no_markup(ground: Ground) -> None:
    """Jinja's own gettext takes every text for safe, and a % for a place in it."""
    with ground.app.test_request_context("/"):
        told = render_template_string("{{ _(words) }}", words=HOSTILE)
    assert told == "&lt;b&gt;5 % of it&lt;/b&gt;"


def test_values_in_a_text_are_escaped_and_markup_of_ours_stays(ground: Ground) -> None:
    page = "{{ _('seen %(by)s %(at)s', by=words, at=when(0)) }} {{ ngettext('one', '%(num)d', 3) }}"
    with ground.app.test_request_context("/"):
        told = render_template_string(page, words=HOSTILE)
    assert told.startswith("seen &lt;b&gt;5 % of it&lt;/b&gt; <time datetime=")
    assert told.endswith(" 3")
