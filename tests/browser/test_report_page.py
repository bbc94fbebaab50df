"""The page in a real browser: its script runs, and sorting and filtering do what they say."""

import html
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from basketlens.report.page import render
from tests.unit.report.conftest import FINDING, PAGE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
TOP = (
    replace(FINDING, item="tea", neighbor="milk", lift=5.0, kind="complement"),
    replace(FINDING, item="rice", neighbor="beans", lift=None, kind="text_only"),
    replace(FINDING, item=HOSTILE, neighbor="sugar", lift=40.0, kind="basket_only"),
    replace(FINDING, item="oats", neighbor="Honey", lift=9.0, kind="basket_only"),
)
# What the page shows is written where --dump-dom finds it, after each step of a visitor.
VISIT = """
<script>
window.onerror = function (message) { log("error", message); };
function log(step, text) { document.body.insertAdjacentHTML("beforeend", "<samp id='" + step + "'></samp>"); document.getElementById(step).textContent = text; }
function pairs() { return Array.from(document.querySelectorAll("#associations tbody tr")).filter(r => !r.hidden).map(r => r.querySelector(".item + .with + .item").textContent).join(" "); }
function head(name) { return Array.from(document.querySelectorAll("#associations thead button")).find(b => b.textContent.includes(name)); }
function set(id, value, event) { var field = document.getElementById(id); field.value = value; field.dispatchEvent(new Event(event)); }
log("start", pairs());
head("chance").click(); log("falling", pairs() + "|" + head("chance").parentElement.getAttribute("aria-sort"));
head("chance").click(); log("rising", pairs() + "|" + head("chance").parentElement.getAttribute("aria-sort"));
head("Pair").click(); log("by-name", pairs());
set("kind", "basket_only", "change"); log("kind-only", pairs() + "|" + document.getElementById("shown").textContent);
set("find", "HONEY", "input"); log("found", pairs());
set("find", "nothing", "input"); log("nothing", pairs() + "|" + document.getElementById("shown").textContent);
log("title", document.title); log("overflow", document.documentElement.scrollWidth - document.documentElement.clientWidth);
</script>
"""


@pytest.fixture(scope="module")
def visit(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    path.write_text(render(replace(PAGE, top=TOP)).replace("</body>", VISIT + "</body>"), encoding="utf-8")
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=500,900",
        "--dump-dom",
        path.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return {
        step: html.unescape(text)
        for step, text in re.findall(r'<samp id="([a-z-]+)">(.*?)</samp>', dom, re.DOTALL)
    }


@pytest.mark.parametrize(("step", "wanted"), [
    pytest.param("start", "milk beans sugar Honey", id="order-of-the-page"),
    pytest.param("falling", "sugar Honey milk beans|descending", id="first-click-largest-first"),
    pytest.param("rising", "milk Honey sugar beans|ascending", id="second-click-smallest-first-unknown-last"),
    pytest.param("by-name", "sugar Honey beans milk", id="names-from-a"),
    pytest.param("kind-only", "sugar Honey|2 of 4 pairs", id="filter-by-kind"),
    pytest.param("found", "Honey", id="find-in-any-case"),
    pytest.param("nothing", "|0 of 4 pairs", id="nothing-found"),
    pytest.param("title", f"Product associations · {PAGE.run_id}", id="hostile-name-does-not-run"),
    pytest.param("overflow", "0", id="a-phone-does-not-scroll-sideways"),
])  # fmt: skip
def test_visit(visit, step, wanted):
    assert "error" not in visit
    assert visit[step] == wanted
