"""Links that lead nowhere are worse than none."""

import re
from pathlib import Path

import pytest
from tests.docs.blocks import DOCUMENTS, ROOT

LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """What a heading is linked by: lower case, spaces as hyphens, nothing but letters, digits, hyphens."""
    text = FENCED.sub("", document.read_text())
    titles = [found["title"].strip().lower() for found in HEADING.finditer(text)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for found in LINK.finditer(FENCED.sub("", document.read_text())):
        if re.match(r"[a-z]+:", found["target"]):
            continue
        path, _, anchor = found["target"].partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{found['target']} is not there"
        if anchor:
            assert anchor in anchors(target), f"{path} has no heading #{anchor}"


def test_every_document_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        targets = [found["target"].partition("#")[0] for found in LINK.finditer(document.read_text())]
        waiting += [(document.parent / one).resolve() for one in targets if one and not re.match(r"[a-z]+:", one)]
    assert set(DOCUMENTS) <= reached, sorted(str(one) for one in set(DOCUMENTS) - reached)


def test_the_architecture_names_every_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = [path.parent.name for path in (ROOT / "src" / "fogbank").glob("*/__init__.py")]
    assert [name for name in packages if f"{name}/" not in text] == []
