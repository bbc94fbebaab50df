"""Settings: layers, strictness, messages that say where and what."""

import pytest

from basketlens.errors import SettingsError
from basketlens.settings_files import load_settings, masked, toml_value


def test_later_layers_win():
    environ = {"BASKETLENS__MINE__MIN_COUNT": "30", "BASKETLENS__LINK__TOP_K": "7"}
    settings = load_settings("local", ["mine.min_count=47"], environ)
    assert (settings.mine.min_count, settings.link.top_k) == (47, 7)
    assert settings.clean.columns["customer_id"] == "household_id"  # from local.toml, over base.toml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("47", 47, id="number"),
        pytest.param('["name"]', ["name"], id="list"),
        pytest.param("true", True, id="boolean"),
        pytest.param('"47"', "47", id="quoted"),
        pytest.param("/data/x.csv", "/data/x.csv", id="bare-word-is-text"),
        pytest.param("1\nmine = 2", "1\nmine = 2", id="one-value-only"),
    ],
)
def test_set_takes_toml_values(text, value):
    assert toml_value(text) == value


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        pytest.param("mine.min_cont=4", ["mine.min_cont", "--set", "min_count is the nearest"], id="unknown-key"),
        pytest.param("mine.min_count=1", ["mine.min_count", "Found:   1", "0 (use min_support), or 2"], id="range"),
        pytest.param("mine.min_count=many", ["mine.min_count", "'many'", "integer"], id="type"),
        pytest.param("mine.levels=[name]", ["mine.levels", "strings of a list want quotes"], id="unquoted-list"),
        pytest.param('mine.levels=["shelf"]', ["'shelf'", "'product', 'name', 'category' or 'department'"], id="choice"),
        pytest.param("link.scale=0", ["link.scale", '"1/sqrt(d)" or a number above 0'], id="scale"),
        pytest.param("shop.name=x", ["'shop' does not exist", "clean, ease, embed"], id="unknown-section"),
        pytest.param("clean.columns.basket=x", ["clean.columns", "found basket", "basket_id"], id="unknown-column"),
        pytest.param("clean.columns.basket_id=", ["clean.columns.basket_id"], id="basket-is-needed"),
        pytest.param("clean.name_template={a", ["clean.name_template", "{column}"], id="template"),
        pytest.param("report.level=product", ["report.level equal to link.level"], id="levels-disagree"),
        pytest.param("finetune.pairs.steps=0", ["finetune.pairs.steps", "greater than or equal to 1"], id="nested"),
        pytest.param("finetune.augment.tail_low=21", ["finetune.augment", "tail_low up to tail_high = 20"], id="tail"),
        pytest.param("finetune.baskets.hidden_low=0.7", ["finetune.baskets", "hidden_low up to"], id="hidden"),
        pytest.param("privacy.min_customers=-1", ["privacy.min_customers", "greater than or equal to 0"], id="no-floor-is-0"),
        pytest.param("mine.holdout=0.6", ["mine.holdout", "less than or equal to 0.5"], id="holdout-is-the-smaller-part"),
        pytest.param("mine.stratify=region", ["mine.stratify", "'', 'store', 'week' or 'promotion'"], id="stratify"),
        pytest.param("mine.min_count", ["section.key=value"], id="no-equals"),
        pytest.param('mine.exclude=["product:7"]', ["in mine.exclude item", "of a mined level (name), not 'product:7'", "name:product:7"], id="template-level"),
        pytest.param('mine.exclude=["name:"]', ["not empty", "'name:'"], id="template-without-id"),
        pytest.param("clean.columns.store_id==", ["clean.columns", "behind the", "store_id"], id="empty-expression"),
        pytest.param("clean.gates.rejected_by_reason.max={duplicates = 0.1}", ["rejected_by_reason.max", "found duplicates"], id="no-such-reason"),
        pytest.param("input.decimal=;", ["input.decimal", "'.' or ','"], id="decimal"),
    ],
)  # fmt: skip
def test_wrong_settings_say_where_and_what(assignment, parts):
    with pytest.raises(SettingsError) as error:
        load_settings("local", [assignment], {})
    message = str(error.value)
    assert [part for part in parts if part not in message] == [], message
    assert error.value.exit_status == 2


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        pytest.param(
            'must_contain=["7"]',
            ["level:id where several levels are mined, such as product:7"],
            id="no-level",
        ),
        pytest.param(
            'must_contain=["name:7", "product:8"]',
            ["must_contain or in exclude, not in both as 8"],
            id="both",
        ),
    ],
)
def test_wrong_templates_say_what_is_allowed(template, parts):
    assignments = ['mine.levels=["product", "name"]', 'mine.exclude=["product:8"]', f"mine.{template}"]
    with pytest.raises(SettingsError) as error:
        load_settings("base", assignments, {})
    assert [part for part in parts if part not in str(error.value)] == [], str(error.value)


def test_an_id_of_a_template_may_hold_colons():
    mine = load_settings(
        "base", ['mine.levels=["product"]', 'mine.exclude=["7:8", "product:name:9"]'], {}
    ).mine
    assert mine.ids_of("exclude", "product", mine.levels) == {"7:8", "name:9"}
    assert mine.ids_of("exclude", "name", ["product", "name"][:1]) == set()


@pytest.mark.parametrize(
    "pattern",
    ["foo", "YYYY", "yyyyyyy", "yyyy-MM-dd'T", "yyyy]", "yyyy#", "E dd.MM.yyyy", "q", "u", "w", "MMMMM", "HHH", "SSSSSSSSSS",
     "VVV", "V", "OO", "XXXXXX", "aa", "ddd", "e", "n"],
)  # fmt: skip
def test_wrong_time_patterns_are_refused(pattern):
    with pytest.raises(SettingsError, match=r"input\.timestamp_formats"):
        load_settings("local", [f'input.timestamp_formats=["yyyy", "{pattern}"]'], {})


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "dd.MM.yyyy HH:mm",
        "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS][XXX]",
        "hh:mm a, d MMM yy",
        "yyyyDDD VV",
        "yyyy G z",
        "O",
        "OOOO",
        "ZZZZ",
    ],
)
def test_time_patterns(pattern):
    chosen = load_settings("local", [f'input.timestamp_formats=["{pattern}"]'], {})
    assert chosen.input.timestamp_formats == [pattern]


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        pytest.param("(", "unterminated subpattern", id="no-regex"),
        pytest.param("", "not empty", id="empty"),
        pytest.param("(?P<a>x)", "groups other than", id="python-group"),
        pytest.param("x{,3}", "without its lower end", id="python-repetition"),
        pytest.param(r"x\\Z", "escapes", id="end-of-text"),
        pytest.param("[a-z&&[^b]]", "set within a set", id="java-set"),
    ],
)
def test_wrong_name_patterns_are_refused(pattern, part):
    with pytest.raises(SettingsError) as error:
        load_settings("local", [f'clean.non_merchandise_names=["{pattern}"]'], {})
    assert [p for p in ("clean.non_merchandise_names", part) if p not in str(error.value)] == [], error.value


def test_a_variable_is_named_in_its_error():
    with pytest.raises(SettingsError, match="environment variable BASKETLENS__MINE__MAX_SIZE"):
        load_settings("local", [], {"BASKETLENS__MINE__MAX_SIZE": "99"})


def test_an_unknown_environment_lists_the_known():
    with pytest.raises(SettingsError, match=r"(?s)'mars'.*Known: .*local"):
        load_settings("mars", [], {})


def test_all_faults_are_told_at_once():
    with pytest.raises(SettingsError, match=r"(?s)mine\.max_size.*link\.top_k|link\.top_k.*mine\.max_size"):
        load_settings("local", ["mine.max_size=99", "link.top_k=0"], {})


def test_a_secret_comes_from_the_environment_alone():
    with pytest.raises(SettingsError, match="may not come from --set") as error:
        load_settings("local", ["privacy.key=0123456789abcdef"], {})
    assert "0123456789abcdef" not in str(error.value)
    with pytest.raises(SettingsError, match="16 characters") as error:
        load_settings("local", [], {"BASKETLENS__PRIVACY__KEY": "hunter2"})
    assert "hunter2" not in str(error.value)


def test_secrets_are_masked():
    settings = load_settings(
        "local",
        ["tables.root=s3a://me:hunter2@bucket/tables"],
        {"BASKETLENS__PRIVACY__KEY": "correct horse battery staple"},
    )
    shown = str(masked(settings)) + str(settings)
    assert "horse" not in shown
    assert "hunter2" not in str(masked(settings))
    assert masked(settings)["privacy"]["key"] == "****"


@pytest.mark.parametrize(
    ("baskets", "count"),
    [
        pytest.param(155_848, 47, id="complete-journey"),
        pytest.param(10_000, 3, id="no-rounding-up-of-a-product"),
        pytest.param(10, 2, id="never-below-two"),
    ],
)
def test_support_becomes_a_count(baskets, count):
    mine = load_settings("base", ["mine.min_count=0", "mine.min_support=0.0003"], {}).mine
    assert mine.count_for(baskets) == count
