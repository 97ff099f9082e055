"""XML as Python's own parser reads it back."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.awswire import xml


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")))
def test_text_comes_back(text: str) -> None:
    assert (ElementTree.fromstring(xml.document("A", "", xml.element("B", xml.text(text)))).findtext("B")) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [("a\r\nb", "a\r\nb"), ("\t\n", "\t\n"), ("a\0b\x1f", "a\ufffdb\ufffd"), ("\ud800", "\ufffd"), ("]]>", "]]>")],
)
def test_characters_that_xml_has_rules_for(text: str, read: str) -> None:
    assert ElementTree.fromstring(xml.element("A", xml.text(text))).text == read


def test_the_namespace_is_an_attribute() -> None:
    assert xml.document("A", 'urn:"x"', "") == "<A xmlns='urn:\"x\"'></A>\n"
