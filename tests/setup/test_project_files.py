"""What an open project owes: a licence, and pages for contributors that say what is true of the code."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from toolkit.paths import assets

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
ALL_PAGES = (*PAGES, *sorted(f"docs/{page.name}" for page in (assets() / "docs").glob("*.md")))
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:toolkit|tests|images|setup|requirements)/[A-Za-z0-9_./-]*)`")


def text_of(page: str) -> str:
    return (assets() / page).read_text()


def anchors_of(page: Path) -> set[str]:
    """The headings of a page as links name them, and the anchors that are set in its text."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    named = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([^"]+)">', text))


def test_the_licence_is_apaches_and_the_package_says_so() -> None:
    licence = text_of("LICENSE")
    assert licence.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "9. Accepting Warranty or Additional Liability." in licence
    assert "Copyright 2026 The toolkit authors" in licence
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert (project["license"], project["license-files"]) == (
        "Apache-2.0 AND MIT",
        ["LICENSE", "toolkit/report/document/uplot/LICENSE"],
    )


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    lost = []
    for link in _LINK.findall(text_of(page)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (assets() / page).parent / name if name else assets() / page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_the_code_that_are_named_are_there(page: str) -> None:
    assert [path for path in _PATH.findall(text_of(page)) if not (assets() / path).exists()] == []


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("toolkit/validation/in_container/prove.py", ["PRODUCTS"]),
        ("toolkit/catalogue/reader.py", ["class FrameworkFile"]),
        ("toolkit/doctor/topic.py", ["class Topic", "before_launch:", "checks:", "compared:", "tried:"]),
        ("toolkit/doctor/topics/registry.py", ["TOPICS:"]),
        ("toolkit/doctor/facts.py", ["class HostFacts", "more:"]),
        ("toolkit/manifest/dialect.py", ["class Dialect", "class ManifestFile"]),
        ("toolkit/manifest/dialects/registry.py", ["DIALECTS:"]),
        ("toolkit/cluster/kinds.py", ["KINDS"]),
        ("toolkit/runtimes/registry.py", ["RUNTIMES"]),
        ("toolkit/runtimes/runtime.py", ["class ContainerRuntime"]),
        (
            "toolkit/secrets/source.py",
            ["class SecretSource", "class KeySource", "class PairSource", "def leads_nowhere", "def within_reach"],
        ),
        ("toolkit/secrets/registry.py", ["KEY_SOURCES:", "PAIR_SOURCES:"]),
    ],
)
def test_names_in_the_code_that_contributors_read_of_are_there(path: str, names: list[str]) -> None:
    page, code = text_of("CONTRIBUTING.md"), text_of(path)
    assert path in page
    assert [name for name in names if name not in code or name.split()[-1].rstrip(":") not in page] == []


def test_every_test_tier_is_in_the_table() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read_string(text_of("tox.ini"))
    tiers = {section.partition(":")[2] for section in tox.sections() if section.startswith("testenv:")}
    rows = re.findall(r"^\| `([a-z-]+)` \|", text_of("CONTRIBUTING.md"), re.MULTILINE)
    assert sorted(rows) == sorted(tiers)


def test_the_readme_leads_to_what_contributors_need() -> None:
    links = _LINK.findall(text_of("README.md"))
    assert {"LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/security.md"} <= set(links)
    assert "docs/security.md" in _LINK.findall(text_of("SECURITY.md"))
