"""The form by which a file of ratings is sent: it says all that the command can say."""

from __future__ import annotations

import io

import pytest

from sync_worker.core.scale import FieldMap
from sync_worker.manifest.default_field import STARS, WIX_SCALE
from sync_worker.services.access.who import COMMAND, Role
from sync_worker.services.imports.stored_rows import format_of_plan
from tests.integration.console.ground import Ground

FILE = b"product,mail,stars\nP1,ada@example.com,5\n"
COLUMNS = "entity=product\nemail=mail\noverall=stars"


def sent(ground: Ground, **fields: str) -> tuple[int, str]:
    """The status and the page of a form for site 1."""
    ground.admin.sites.add("instance-1", "shop-1", [FieldMap("overall", "v", WIX_SCALE, STARS)])
    browser = ground.client(Role.ADMIN)
    form = {**browser.tokens("/sites/1/imports"), "columns": COLUMNS, "scale": "1:5:1", **fields}
    file = {"file": (io.BytesIO(FILE), "reviews.csv")}
    answer = browser.open("/sites/1/imports", "POST", data={**form, **file})
    return answer.status_code, answer.text


def test_form_says_how_scales_convert_and_whose_ids_they_are(ground: Ground) -> None:
    status, page = sent(ground, mapping="span", entity_of="wix")
    assert status == 303, page
    plan = ground.parts.imports._files.plan(1)
    assert plan is not None
    form, _ = format_of_plan(plan)
    assert (form.scale.mapping, form.entity_of) == ("span", "wix")


@pytest.mark.parametrize("fields", [{"mapping": "twice"}, {"entity_of": "moon"}])
def test_answer_that_the_form_has_not_is_refused(fields: dict[str, str], ground: Ground) -> None:
    status, page = sent(ground, **fields)
    assert status == 400
    assert "Choose one of the answers" in page
    assert list(ground.parts.imports.of_site(COMMAND, 1).files) == []
