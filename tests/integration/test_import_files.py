"""Files of ratings in the forms that platforms export, and what is told of one that is none."""

from __future__ import annotations

import json

import pytest

from tests.integration.import_shop import COLUMNS, Shop, home_of_shop, row, shop

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

__all__ = ["home_of_shop", "shop"]  # fixtures
WOOCOMMERCE = (
    "comment_ID,comment_post_ID,comment_author,"
    "comment_author_email,comment_approved,comment_parent,rating\n"
)


def test_yotpo_file_is_read_without_what_was_rejected_there(shop: Shop) -> None:
    shop.add_people(2)
    header = (
        "appKey,Review ID,Review Creation Date,Review Type,Review Status,Review Score,Review Title,"
        "Reviewer Display Name,Reviewer Email,Product ID,Product Title\n"
    )
    rows = "".join(
        f"K,{number},2022-07-18,product_review,{state},5,T,P,person{number}@example.com,P1,Beans\n"
        for number, state in enumerate(("Published", "Rejected"))
    )
    report = shop.import_file(shop.shell.file("y.csv", header + rows), "--preset", "yotpo")
    assert (report["created"], report["skipped_why"]) == (1, {"not published (rejected)": 1})


def test_file_without_the_state_of_its_preset_is_told_of(shop: Shop) -> None:
    shop.add_people(1)
    name = shop.shell.file("r.csv", "rating,reviewer_email,product_id\n5,person0@example.com,P1\n")
    done = shop.shell.run("import", name, "--preset", "judgeme")
    assert done.returncode == 0
    assert "there is no column 'curated': every row counts as published" in done.stderr
    refused = shop.shell.run("import", name, "--preset", "judgeme", "--published", "ok")
    assert refused.returncode == 1
    assert "there is no column 'curated'; the columns are: rating" in refused.stderr


def test_semicolons_and_decimal_commas_are_read_with_a_state_of_ones_own(shop: Shop) -> None:
    shop.add_people(3)
    lines = ["sep=;", "Rating;Reviewer_Email;Product_ID;Stand;body"]
    lines += [
        f"{rating};person{number}@example.com;P1;{state};gut, sehr gut"
        for number, (rating, state) in enumerate((("4,5", "Frei"), ("4,0", "frei"), ("1", "weg")))
    ]
    report = shop.import_file(
        shop.shell.file("s.csv", "\n".join(lines)),
        *(*COLUMNS[:-1], "0:5:0.5", "--column", "state=stand", "--published", "FREI"),
    )
    assert (report["created"], report["skipped"], shop.values_on_wix()) == (2, 1, [80, 90])


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (
            "d.csv",
            "rating,reviewer_email,product_id,Rating\n",
            "the column 'rating' stands 2 times",
        ),
        ("a.json", '[\n {"a": 1},\n {"a": 2}\n]', "is one JSON list; JSONL is needed"),
        ("x.csv", "PK\x03\x04", "is an Excel workbook"),
    ],
)
def test_file_that_cannot_be_read_is_refused_once_in_words(
    shop: Shop, name: str, content: str, complaint: str
) -> None:
    done = shop.shell.run("import", shop.shell.file(name, content), *COLUMNS)
    assert done.returncode == 1
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_rejected_file_is_put_right_and_imported(shop: Shop) -> None:
    shop.add_people(3)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(1, rating=9), row(2)]), "--preset", "judgeme", status=1
    )
    name = report["rejected_file"]
    path = shop.shell.folder / name
    path.write_text(path.read_text().replace(",9,2025", ",5,2025"))
    assert shop.import_file(name, "--preset", "judgeme")["created"] == 1
    assert shop.values_on_wix() == [80, 80, 100]


def test_rejected_file_that_somebody_edits_is_not_overwritten(shop: Shop) -> None:
    name = shop.judgeme("r.csv", [row(0)])
    first = shop.import_file(name, "--preset", "judgeme", status=1)["rejected_file"]
    second = shop.import_file(name, "--preset", "judgeme", status=1)["rejected_file"]
    assert first != second


def test_second_rating_of_one_person_is_rejected_with_the_first_line(
    shop: Shop,
) -> None:
    """A second rating of one person for one thing is rejected with the line of the first."""
    shop.add_people(1)
    report = shop.import_file(
        shop.judgeme("r.csv", [row(0), row(0, rating=2)]), "--preset", "judgeme", status=1
    )
    assert "rated the same thing on line 2" in shop.rejected(report)[0]["rejected_reason"]
    assert shop.values_on_wix() == [80]


def test_unknown_person_becomes_a_contact_only_if_the_site_says_so(shop: Shop) -> None:
    name = shop.judgeme(
        "r.csv", [row(0, email="New@Example.com"), row(1, product="P2", email="new@example.com")]
    )
    assert shop.import_file(name, "--preset", "judgeme", status=1)["rejected"] == 2
    shop.shell.good("site", "policy", "unknown_contact=skip")
    assert shop.import_file(name, "--preset", "judgeme")["skipped"] == 2
    shop.shell.good("site", "policy", "unknown_contact=create")
    assert shop.import_file(name, "--preset", "judgeme")["created"] == 2
    assert [one["primaryInfo"]["email"] for one in shop.box.wix.contacts.values()] == [
        "new@example.com"
    ]


def test_woocommerce_file_is_read_without_its_replies(shop: Shop) -> None:
    shop.add_people(2)
    rows = (
        "1,P1,P,person0@example.com,1,0,5\n2,P1,Shop,shop@example.com,1,1,\n"
        "3,P2,P,person1@example.com,0,0,1\n"
    )
    report = shop.import_file(
        shop.shell.file("w.csv", WOOCOMMERCE + rows), "--preset", "woocommerce"
    )
    assert (report["created"], report["skipped"]) == (1, 2)
    assert report["skipped_why"] == {"no rating": 1, "not published (0)": 1}


def test_jsonl_with_columns_by_options_and_a_bad_line(shop: Shop) -> None:
    shop.add_people(2)
    good = {"product": {"id": "wix-3"}, "who": "person0@example.com", "stars": 4.5}
    lines = json.dumps(good) + "\nnot json\n"
    columns = [
        "--column",
        "entity=product.id",
        "--column",
        "email=who",
        "--column",
        "overall=stars",
    ]
    options = [*columns, "--scale", "0:5:0.5", "--entity-of", "wix"]
    report = shop.import_file(shop.shell.file("r.jsonl", lines), *options, status=1)
    assert (report["created"], report["rejected"], shop.values_on_wix()) == (1, 1, [90])
    rejected = json.loads((shop.shell.folder / report["rejected_file"]).read_text())
    assert (rejected["rejected_line"], rejected["rejected_text"]) == ("2", "not json")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (
            ("--preset", "nobody"),
            1,
            "there is no preset 'nobody'; shipped are: judgeme, woocommerce, yotpo",
        ),
        ((), 1, "choose a --preset, or name them: --column"),
        (
            ("--preset", "woocommerce"),
            1,
            "there is no column 'comment_post_ID'; the columns are: title",
        ),
        (
            ("--preset", "judgeme", "--column", "taste=rating"),
            1,
            "the attribute 'taste' is not mapped",
        ),
        (("--preset", "judgeme", "--column", "email"), 2, "is not PART=COLUMN"),
        (("--preset", "judgeme", "--scale", "1-5"), 2, "--scale takes MIN:MAX:STEP"),
        (
            (*COLUMNS, "--column", "state=curated"),
            1,
            "--column state=curated changes nothing: every row counts until --published WORD says",
        ),
        (
            (*COLUMNS, "--published", "ok"),
            1,
            "--published ok changes nothing: name the column of the state, too",
        ),
        (
            (*COLUMNS, "--column", "entity_namespace=source"),
            1,
            "--column entity_namespace=source changes nothing: ids of the external system have no",
        ),
        (
            ("--preset", "judgeme", "--column", "name=who"),
            1,
            "there is no column 'who'; the columns are: title",
        ),
        ((*COLUMNS, "--column", "email=body"), 2, "--column email is given twice"),
    ],
)
def test_wrong_option_is_told_in_words(
    shop: Shop, words: tuple[str, ...], status: int, complaint: str
) -> None:
    done = shop.shell.run("import", shop.judgeme("r.csv", [row(0)]), *words)
    assert done.returncode == status
    assert complaint in " ".join(done.stderr.split())
