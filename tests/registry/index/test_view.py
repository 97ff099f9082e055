"""That what a query has found does not outlive its answer."""

import gc
import weakref
from pathlib import Path

import pytest

from fogbank.registry.index.entry import ThingEntry
from fogbank.registry.index.shelf import Shelf
from fogbank.search import parse


@pytest.mark.parametrize("query", ["*", "a:b* NOT c:d", "f:geo_distance,1,2,3km"])
def test_a_view_goes_at_once_with_the_files_it_holds(tmp_path: Path, query: str) -> None:
    """Not when Python next looks for cycles: until then it keeps a third of a megabyte, and files that are gone."""
    shelf = Shelf(tmp_path / "index", ThingEntry)
    shelf.open()
    shelf.put([ThingEntry(name="a", id="1", stamp="")])
    gc.disable()
    try:
        view = shelf.view(parse(query))
        view.entries(10, "")
        gone = weakref.ref(view)
        del view
        assert gone() is None
    finally:
        gc.enable()
    shelf.close()
