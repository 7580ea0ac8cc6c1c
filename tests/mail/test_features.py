"""caniemail's features are detected by their atoms, each shown by an example, the rest listed with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.mail.atoms import atoms
from lifecycle.mail.features import DATA, UNDETECTED, WEIGHTS, Feature, example_of, features, used_features
from lifecycle.mail.markup import parse, visible_text
from lifecycle.mail.refresh_clients import compact, main
from lifecycle.mail.styles import stylesheet

PLAIN = "<p>x</p>"


@pytest.mark.parametrize("feature", [f for f in features() if f.atoms], ids=lambda f: f.slug)
def test_a_feature_is_detected_in_the_example_of_each_of_its_atoms(feature: Feature):
    """And not in a mail that has nothing but a paragraph."""
    for atom in feature.atoms:
        assert feature.slug in used_features(example_of(atom))
    if feature.slug != "html-p":
        assert feature.slug not in used_features(PLAIN)


def test_at_least_85_percent_of_the_features_are_detected_and_the_rest_has_a_reason():
    """The anchor's promise, counted."""
    known = {feature.slug for feature in features()}
    detected = {feature.slug for feature in features() if feature.atoms}
    assert len(detected) >= 0.85 * len(known)
    assert known - detected == set(UNDETECTED)
    assert all(UNDETECTED.values())


def test_the_data_name_the_mail_programs_used_in_germany():
    """GMX, WEB.DE and T-Online are in it, the weights add up, and the file stays small."""
    assert sum(WEIGHTS.values()) == 100
    text = DATA.read_text(encoding="utf-8")
    assert all(f'"{family}/' in text for family in WEIGHTS)
    assert len(text) < 1_000_000
    assert "MIT" in (DATA.parent / "caniemail.LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "absent"),
    [
        ('<p style="background:url(https://example.org/flex-grid.png)">x</p>', "css-display-flex"),
        ("<p>:hover > + ~ 10vh</p>", "css-pseudo-class-hover"),
        ("<style>/* a:hover { width: 1vh } */</style>", "css-unit-vh"),
        ('<style>a::after { content: "1vh calc(1)" }</style>', "css-unit-calc"),
        ("<!-- <video></video> -->", "html-video"),
        ('<p style="color:#1em2e3">x</p>', "css-unit-em"),
    ],
)
def test_what_only_looks_like_a_feature_is_none(source: str, absent: str):
    """Addresses, comments, strings and text are not markup."""
    assert absent not in used_features(source)


@given(st.text(alphabet="<>/ab\"'= -!{}:;@()%*.\n", max_size=200))
def test_the_readers_survive_anything(text: str):
    """HTML, CSS, atoms and plain text never raise."""
    parse(text)
    stylesheet(text)
    atoms(f"<style>{text}</style><p style='{text}'>{text}")
    visible_text(text)


def test_nested_media_and_important_are_read():
    """The rules keep what stands around them."""
    rules, comments = stylesheet("/* c */ @media screen { .a > b { color: red !important } } @import 'x';")
    assert [(rule.prelude, rule.around) for rule in rules] == [
        (".a > b", ("@media screen",)),
        ("@media screen", ()),
        ("@import 'x'", ()),
    ]
    assert comments == (0,)


def test_the_data_file_is_made_from_the_package_as_it_is(tmp_path: Path):
    """The newest verdict of each client is kept; the refresh needs only the unpacked package."""
    source = {
        "last_update_date": "2026-05-13 14:45:41 +0000",
        "data": [
            {
                "slug": "css-gap",
                "title": "gap",
                "category": "css",
                "stats": {"gmail": {"ios": {"2020-01": "n", "2024-02": "y #1"}, "android": {}}},
            }
        ],
    }
    made = compact(source, "2.0.2")
    assert made["features"] == [{"slug": "css-gap", "title": "gap", "category": "css", "support": {"gmail/ios": "y"}}]
    assert made["tested"] == "2026-05-13"


def test_older_data_does_not_replace_newer(tmp_path: Path):
    """A package manager may choose an older version; then nothing is written."""
    package, data = tmp_path / "package", tmp_path / "ours"
    (package / "data").mkdir(parents=True)
    data.mkdir()
    (package / "LICENSE").write_text("MIT")
    (package / "package.json").write_text('{"version": "1.0.5"}')
    source = {"last_update_date": "2025-09-09 00:00:00 +0000", "data": []}
    (package / "data" / "caniemail.json").write_text(json.dumps(source))
    ours = data / "caniemail.json"
    ours.write_text('{"tested": "2026-05-13"}')
    with pytest.raises(SystemExit, match="nothing was changed"):
        main(package, data)
    assert ours.read_text() == '{"tested": "2026-05-13"}'
    ours.write_text('{"tested": "2025-01-01"}')
    main(package, data)
    assert json.loads(ours.read_text())["version"] == "1.0.5"
