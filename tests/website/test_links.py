"""What is found wrong with the links of a site, and how links between files become links between pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from website.assemble import assemble, pages, relinked
from website.links import broken

PAGE = '<h1 id="top">A</h1><a href="sub/b.html#there">b</a><a href="#top">top</a><a href="https://example.org">elsewhere</a>'
BAD = {
    '<a href="c.html">c</a>': "c.html leads nowhere",
    '<a href="../outside.html">c</a>': "../outside.html leads nowhere",
    '<a href="sub/b.html#gone">b</a>': "sub/b.html#gone leads to an anchor that is not there",
    '<a href="#gone">b</a>': "#gone leads to an anchor that is not there",
    '<script src="https://example.org/x.js"></script>': "https://example.org/x.js is fetched from elsewhere",
    '<img src="gone.png">': "gone.png leads nowhere",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "outside.html").write_text("")
    (tmp_path / "site/sub").mkdir(parents=True)
    (tmp_path / "site/sub/b.html").write_text('<p id="there"><a href="../a.html">a</a></p>')
    return tmp_path / "site"


def test_a_site_whose_links_lead_somewhere_has_nothing_wrong(site: Path) -> None:
    (site / "a.html").write_text(PAGE)
    assert broken(site) == []


@pytest.mark.parametrize("link", BAD)
def test_a_link_that_leads_nowhere_is_named(site: Path, link: str) -> None:
    (site / "a.html").write_text(PAGE + link)
    assert broken(site) == [f"a.html: {BAD[link]}"]


def test_links_between_files_become_links_between_pages(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    for path in ("docs/guide.md", "results/table/README.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("# Page\n")
    text = "[a](../results/table/README.md#page) [b](../README.md) [c](https://example.org) [d](#page) [e](../src/no.py)"
    assert relinked(text, root / "docs/guide.md", "guide.md", root) == (
        "[a](results/table/README.md#page) [b](index.md) [c](https://example.org) [d](#page) [e](../src/no.py)"
    )
    (root / "README.md").write_text("[guide](docs/guide.md)\n")
    assemble(tmp_path / "pages", root)
    assert (tmp_path / "pages/index.md").read_text() == "[guide](guide.md)\n"
    assert set(pages(root).values()) == {path.relative_to(tmp_path / "pages").as_posix() for path in (tmp_path / "pages").rglob("*.md")}
