"""The README's other commands, as written."""

import random
import tomllib

import pandas as pd
import pytest

from tests.cluster.shell import readme_commands, shell

pytestmark = pytest.mark.timeout(600)
DONE_ELSEWHERE = (
    "./submit.sh pipeline  ",
    "./submit.sh test  ",
)  # test_submit.py runs the first; the second runs this
COMMANDS = [command for command in readme_commands() if not command.startswith(DONE_ELSEWHERE)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with receipts.csv as the README's example has it: ticket, article, title, time, units."""
    folder = tmp_path_factory.mktemp("own")
    draw = random.Random(1)
    titles = {"1": "Oat milk", "2": "Muesli", "3": "Green tea", "4": "Honey"}
    rows = [
        f"t{ticket},{article},{titles[article]},2025-01-{1 + ticket % 28:02d} 10:00:00,{draw.randint(1, 3)}"
        for ticket in range(60)
        for article in draw.sample(sorted(titles), draw.randint(1, 3))
    ]
    (folder / "receipts.csv").write_text("ticket,article,title,time,units\n" + "\n".join(rows) + "\n")
    return folder


def test_nothing_is_left_out():
    assert len(COMMANDS) == 3


def test_own_data(shop):
    [command] = [command for command in COMMANDS if "receipts.csv" in command]
    done = shell(shop, command)
    assert done.returncode == 0, done.stdout + done.stderr
    receipts = pd.read_csv(shop / "receipts.csv")
    both = receipts.groupby("ticket").title.agg(set).map(lambda titles: {"Muesli", "Honey"} <= titles).sum()
    found = pd.read_parquet(shop / "own" / "tables" / "associations").set_index(
        ["item_name", "neighbor_name"]
    )
    assert found.loc[("muesli", "honey")].n_ab == both
    page = (shop / "own" / "tables" / "report.html").read_text()
    assert "oat milk" in page


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--dry-run" in command])
def test_dry_runs(shop, command):
    done = shell(shop, command)
    assert done.returncode == 0, done.stderr
    printed, submit = done.stdout.split("# spark-submit command\n")
    assert "mine" in tomllib.loads(printed)
    assert "spark-submit --properties-file" in submit
