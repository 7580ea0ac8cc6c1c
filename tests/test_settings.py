"""``lifecycle.toml``: what ``init`` writes explains every key, and nothing is guessed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from lifecycle import settings
from lifecycle.errors import ConfigurationError
from lifecycle.settings import Settings, default_toml, parse_days, parse_months, read_settings

TABLES = {
    "": settings.Settings,
    "rules.appointments": settings.RuleTable,
    "[places]": settings.PlaceTable,
    "[catalogue]": settings.CatalogueTable,
    "[backups]": settings.BackupTable,
    "ledger": settings.LedgerTable,
    "ingest": settings.IngestTable,
    "run": settings.RunTable,
    "notify": settings.NotifyTable,
}


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "lifecycle.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def refused(tmp_path: Path, text: str, *words: str) -> None:
    """Exit code 5, one sentence with these words, and a hint."""
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, text)
    assert error.value.exit_code == 5
    assert error.value.hint
    for word in words:
        assert word in error.value.fact


def changed(old: str, new: str) -> str:
    text = default_toml("clinic")
    assert old in text, old
    return text.replace(old, new, 1)


def sections() -> dict[str, str]:
    """The default file by table; a line that is commented out counts, since it explains its key."""
    found, name = {"": ""}, ""
    for line in default_toml("clinic").splitlines():
        header = re.fullmatch(r"\[(.+)\]", line)
        name = header[1] if header else name
        found[name] = found.get(name, "") + line + "\n"
    return found


def test_what_init_writes_works_unedited(tmp_path: Path) -> None:
    """And says what the design says: 90 days, Berlin, backups given."""
    given = read(tmp_path, default_toml("Praxis am Wall"))
    assert (given.name, given.time_zone, given.language) == ("Praxis am Wall", "Europe/Berlin", "de")
    assert {name: given.rule(name).period_days for name in given.rules} == {"appointments": 90, "events": 90}
    assert given.rule("events").cap_months is None
    assert given.backup_days == 30


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_shown_in_the_file(table: str) -> None:
    """Each field of each table occurs in its section; a new one without its example fails here."""
    model: type[BaseModel] = TABLES[table]
    text = default_toml("clinic") if not table else sections()[table]
    missing = [
        name
        for name in model.model_fields
        if not re.search(rf"^(# )?{name} *=", text, re.M)  # a key, or a table of its own
        and not re.search(rf"^\[+({table}\.)?{name}[\].]", default_toml("clinic"), re.M)
    ]
    assert missing == []


def test_every_table_is_looked_at() -> None:
    """So that the test above cannot miss a new one."""
    known = {model for model in vars(settings).values() if isinstance(model, type) and issubclass(model, BaseModel)}
    assert {model for model in known if not model.__name__.startswith("_")} - {BaseModel} == set(TABLES.values())


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ('perspective = "provider"', 'perspektive = "provider"', "perspective"),
        ('language = "de"', 'langauge = "de"', "language"),
        ('keys = "keys"', 'key = "keys"', "keys"),
        ("max_unpacked_bytes = 4294967296", "max_unpacked_byte = 4294967296", "max_unpacked_bytes"),
        ("max_gap_days = 7", "max_gap_day = 7", "max_gap_days"),
        ('cap = ""', 'caps = ""', "cap"),
        ('promised = "P90D"', 'promise = "P90D"', "promised"),
        ('data_type = "TANs"', 'datatype = "TANs"', "data_type"),
        ('keep = "P30D"', 'keeps = "P30D"', "keep"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_right_one(tmp_path: Path, old: str, new: str, hint: str) -> None:
    """In every table: unknown keys are never ignored."""
    wrong = new.split(" =")[0]
    refused(tmp_path, changed(old, new), "unknown key", wrong, f"did you mean '{hint}'?")


def test_a_key_like_no_other_is_refused_without_a_guess(tmp_path: Path) -> None:
    """No "did you mean" where nothing is meant."""
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, changed("max_gap_days = 7", "max_gap_days = 7\nzzzz = 1"))
    assert "run.zzzz" in error.value.fact
    assert "did you mean" not in error.value.fact


@pytest.mark.parametrize("key", ["name", "perspective", "schema_version"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    """What has no default must be said."""
    text = re.sub(rf"^{key} = .*$", "", default_toml("clinic"), count=1, flags=re.M)
    refused(tmp_path, text, f"key '{key}' is missing")


@pytest.mark.parametrize("period", ["P91D", "P0D", "P365D", "P3M", "P1Y", "90", "", "P", "P-1D", "PT90H", "P90d"])
def test_a_period_longer_than_promised_or_unreadable_is_refused(tmp_path: Path, period: str) -> None:
    """Shorter is always allowed, longer never."""
    refused(tmp_path, changed('period = "P90D"', f'period = "{period}"'), "rules.appointments")


@pytest.mark.parametrize("period", ["P1D", "P30D", "P89D", "P90D"])
def test_a_shorter_period_is_allowed(tmp_path: Path, period: str) -> None:
    """Down to one day."""
    given = read(tmp_path, changed('period = "P90D"', f'period = "{period}"'))
    assert given.rule("appointments").period_days == int(period[1:-1])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lead_days = 0", "lead_days = 90", "lead_days must be shorter"),
        ("lead_days = 0", "lead_days = -1", "lead_days"),
        ('cap = ""', 'cap = "P90D"', "in months"),
        ('cancelled = "booking"', 'cancelled = "never"', "cancelled"),
        ('basis = "contract"', 'basis = "habit"', "basis"),
        ('time_zone = "Europe/Berlin"', 'time_zone = "Europe/Berln"', "did you mean 'Europe/Berlin'?"),
        ('places = ["workspace"]', 'places = ["workspaces"]', "did you mean 'workspace'?"),
        ('place = "workspace"', 'place = "cellar"', "is not among [[places]]"),
        ('name = "mailbox"', 'name = "workspace"', "same name"),
        ("[rules.events]", "[rules.messages]", "rules must be given for events and appointments"),
        ('kind = "managed"', 'kind = "certain"', "kind"),
        ("plan_days = 7", "plan_days = 0", "plan_days"),
        ('perspective = "provider"', 'perspective = "patient"', "perspective"),
        ('seed = "file"', 'seed = "comand:x"', 'seed: expected "file", "env:NAME" or "command:PROGRAM ARGS".'),
        ("mail_to = []", 'mail_to = ["nobody"]', "mail_to.0: expected an e-mail address."),
    ],
)
def test_a_value_that_cannot_be_followed_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Each with the key, and what was close."""
    refused(tmp_path, changed(old, new), words)


def test_no_key_is_explained_by_a_regular_expression() -> None:
    """Each with a pattern has words for it."""
    keys = [one for table in TABLES.values() for one in table.model_json_schema()["properties"].items()]
    assert {name for name, schema in keys if "'pattern'" in str(schema)} == set(settings._FORMS)


def test_the_workspace_itself_is_a_place(tmp_path: Path) -> None:
    """A place that is not named is not clean."""
    text = default_toml("clinic").replace('"workspace"', '"elsewhere"')
    refused(tmp_path, text, "'workspace'", "missing")


def test_backups_must_be_said_even_where_there_are_none(tmp_path: Path) -> None:
    """Mandatory; an empty list says it in so many words."""
    without = default_toml("clinic").split("[[backups]]")[0]
    refused(tmp_path, without, "backups")
    none = without.replace("schema_version = 1", "schema_version = 1\nbackups = []")
    assert read(tmp_path, none).backup_days is None


def test_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    """Before anything else of it is read: its other keys may be new, too."""
    text = changed("schema_version = 1", "schema_version = 2\nsomething_new = true")
    refused(tmp_path, text, "schema version 2", "knows 1")


@pytest.mark.parametrize("kind", ["missing", "garbage", "latin-1", "symlink", "folder"])
def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path: Path, kind: str) -> None:
    """No traceback of a parser, and no link where the file should be."""
    path = tmp_path / "lifecycle.toml"
    if kind == "garbage":
        path.write_text("name = \n[[[")
    elif kind == "latin-1":
        path.write_bytes("name = 'Möwe'".encode("latin-1"))
    elif kind == "symlink":
        (tmp_path / "real.toml").write_text(default_toml("clinic"))
        path.symlink_to(tmp_path / "real.toml")
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(ConfigurationError) as error:
        read_settings(path)
    assert error.value.hint


@pytest.mark.parametrize(
    "name", ["", 'Dr. "Eisenbart"', "back\\slash", "Praxis Ünal & Söhne", "a" * 255, "#[x]", "two\nlines\t\x7f"]
)
def test_any_name_of_a_folder_gives_a_readable_file(tmp_path: Path, name: str) -> None:
    """Quotes and backslashes in it do not break the file, and the log's name is its own each time."""
    if name:
        assert read(tmp_path, default_toml(name)).name
    one, other = (tomllib.loads(default_toml(name))["ledger"]["origin"] for _ in range(2))
    assert one != other


def test_the_policy_has_a_digest_that_only_the_policy_changes(tmp_path: Path) -> None:
    """Rules, places, catalogue, backups and zone; not the language of reports."""
    text = default_toml("clinic")
    digest = read(tmp_path, text).sha256
    assert read(tmp_path, text.replace('language = "de"', 'language = "en"')).sha256 == digest
    for old, new in [
        ("lead_days = 0", "lead_days = 1"),
        ('keep = "P30D"', 'keep = "P31D"'),
        ("Europe/Berlin", "Europe/Vienna"),
    ]:
        assert read(tmp_path, text.replace(old, new, 1)).sha256 != digest


def test_periods_are_days_or_months_never_both() -> None:
    """90 days are not three months."""
    assert (parse_days("P90D"), parse_months("P3M"), parse_months("P1Y6M")) == (90, 3, 18)
    for text in ("P3M", "P1M1D", "P"):
        with pytest.raises(ValueError, match="period"):
            parse_days(text)
    for text in ("P90D", "P0M", "P1M1D"):
        with pytest.raises(ValueError, match="period"):
            parse_months(text)
