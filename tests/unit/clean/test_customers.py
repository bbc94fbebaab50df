import hashlib
import hmac
import os
import stat

import pytest
from pyspark.sql import functions as F

from basketlens import privacy_key
from basketlens.clean.customers import with_customer_key
from basketlens.errors import SettingsError
from tests.builders import settings

SECRET = "correct horse battery staple"


@pytest.mark.parametrize("has_arrow_udf", [True, False])
def test_keys_are_hmac_sha256_of_the_trimmed_id(spark, key_file, monkeypatch, has_arrow_udf):
    if not has_arrow_udf:  # as on Spark 3.5
        monkeypatch.delattr(F, "arrow_udf", raising=False)
    rows = spark.createDataFrame([("4711",), (" 4711 ",), ("Zoë",), ("",), (None,)], "card string")
    found = [
        row.customer_key
        for row in with_customer_key(rows, {"customer_id": "card"}, key_file=str(key_file)).collect()
    ]
    expected = [
        hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()[:32] for text in ("4711", "Zoë")
    ]
    assert found == [expected[0], expected[0], expected[1], None, None]


def test_the_secret_is_in_no_plan(spark, key_file, capsys):
    rows = spark.createDataFrame([("4711",)], "card string")
    with_customer_key(rows, {"customer_id": "card"}, key_file=str(key_file)).explain("extended")
    assert SECRET not in capsys.readouterr().out


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(privacy_key.VARIABLE, raising=False)
    path = tmp_path / "new" / "privacy.key"
    privacy = settings(f"privacy.key_file={path}", "privacy.create_key_file=true").privacy
    first = privacy_key.prepare(privacy)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    privacy_key.read_secret.cache_clear()
    assert privacy_key.prepare(privacy) == first
    assert first not in path.read_text()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda path: path.unlink(), "there is none", id="no-file"),
        pytest.param(lambda path: path.chmod(0o644), "may be read by others", id="open-to-others"),
        pytest.param(lambda path: path.write_text("short"), "too short: 5 characters", id="short"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(key_file, prepare, message):
    prepare(key_file)
    with pytest.raises(SettingsError, match=message):
        privacy_key.prepare(settings(f"privacy.key_file={key_file}").privacy)


def test_the_variable_wins_over_the_file(key_file, monkeypatch):
    of_file = privacy_key.prepare(settings(f"privacy.key_file={key_file}").privacy)
    privacy_key.read_secret.cache_clear()
    monkeypatch.setenv(privacy_key.VARIABLE, "another secret of sixteen")
    assert privacy_key.prepare(settings(f"privacy.key_file={key_file}").privacy) != of_file
