"""The built pages, as a reader without a network sees them: file://, phone and desktop, light and dark.

`make test-all` builds the book first; alone, these tests look at what `make book` left.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Browser

pytestmark = pytest.mark.slow

HTML = Path(__file__).parents[1] / "_build" / "html"
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
# index.html only sends the reader on to the first page.
PAGES = sorted(
    str(page.relative_to(HTML))
    for page in HTML.rglob("*.html")
    if page.name != "index.html" and "_static" not in page.parts
)
VIEWS = [(1280, False), (1280, True), (390, False), (390, True)]
SERIOUS = """
    axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
        .filter(fault => ["serious", "critical"].includes(fault.impact))
        .map(fault => `${fault.id}: ${fault.nodes.map(node => node.target.join(" ")).join(" | ")}`))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH (apt-get install chromium): the pages are not looked at")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def test_the_book_is_built() -> None:
    assert PAGES, f"{HTML} holds no pages: run `make book` first"


@pytest.mark.parametrize("page", PAGES)
class TestPage:
    def test_asks_no_other_host(self, browser: Browser, page: str) -> None:
        browser.requests.clear()
        browser.open((HTML / page).as_uri(), 1280)
        assert [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        missing = [url for url in browser.requests if url.startswith("file:") and not exists(url)]
        assert missing == []

    def test_math_is_typeset(self, browser: Browser, page: str) -> None:
        browser.open((HTML / page).as_uri(), 1280)
        untouched = "[...document.querySelectorAll('.math')].filter(math => !math.querySelector('mjx-container'))"
        assert browser.evaluate(f"{untouched}.map(math => math.textContent)") == []
        assert browser.evaluate("[...document.querySelectorAll('mjx-merror')].map(e => e.textContent)") == []

    def test_figures_have_alternatives(self, browser: Browser, page: str) -> None:
        browser.open((HTML / page).as_uri(), 1280)
        images = "[...document.querySelectorAll('main img')]"
        assert browser.evaluate(f"{images}.filter(image => !image.naturalWidth).map(image => image.src)") == []
        assert browser.evaluate(f"{images}.filter(image => !image.alt.trim()).map(image => image.src)") == []

    def test_fits_a_phone(self, browser: Browser, page: str) -> None:
        browser.open((HTML / page).as_uri(), 390)
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390

    @pytest.mark.parametrize(("width", "dark"), VIEWS)
    def test_is_accessible(self, browser: Browser, page: str, width: int, dark: bool) -> None:
        browser.open((HTML / page).as_uri(), width, dark)
        assert browser.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        browser.evaluate(AXE)
        assert browser.evaluate(SERIOUS) == []


def exists(url: str) -> bool:
    """Whether a file: address names a file."""
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(url).path)).exists()


@pytest.mark.skipif(not PAGES, reason="nothing is built")
def test_search_finds_a_page(browser: Browser) -> None:
    browser.open((HTML / "search.html").as_uri() + "?q=imbalance", 1280)
    found = "[...document.querySelectorAll('#search-results li a')].map(link => link.textContent)"
    browser.wait_for(f"{found}.includes('Glossary of symbols')")  # results arrive one by one
    assert "1. Long-tailed data" in browser.evaluate(found)


def test_the_book_is_small() -> None:
    assert sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file()) < 15e6
