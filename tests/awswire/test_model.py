import gzip

import msgspec
import pytest
from botocore.loaders import Loader
from tests.awswire.specimens import SERVICES, load

from fogbank.awswire import model
from fogbank.gateway.models import data_directory


@pytest.mark.parametrize("service", SERVICES)
def test_every_reference_leads_to_a_shape(service: str) -> None:
    read = load(service)
    refs = [ref for op in read.operations.values() for ref in (op.input, op.output) if ref is not None]
    for shape in read.shapes.values():
        refs += [*shape.members.values(), *(ref for ref in (shape.member, shape.key, shape.value) if ref is not None)]
        assert set(shape.required) <= shape.members.keys()
    assert {ref.shape for ref in refs} <= read.shapes.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_every_trait_that_travels_is_read(service: str) -> None:
    """Compares with botocore's own reading of the file; a trait we would not know of shows here."""
    raw = Loader().load_service_model(service, "service-2")
    read = load(service)
    assert read.operations.keys() == raw["operations"].keys()
    for name, shape in raw["shapes"].items():
        ours = read.shapes[name]
        assert (ours.type, ours.min, ours.max) == (shape["type"], shape.get("min"), shape.get("max"))
        assert ours.pattern == shape.get("pattern")
        assert list(ours.enum) == shape.get("enum", [])
        assert ours.payload == shape.get("payload")
        assert ours.exception == shape.get("exception", False)
        for member, ref in shape.get("members", {}).items():
            assert ours.members[member].location == ref.get("location")
            assert ours.members[member].location_name == ref.get("locationName")
            assert ours.members[member].jsonvalue == ref.get("jsonvalue", False)
            assert not ref.keys() & {"queryName", "flattened", "xmlName", "hostLabel", "contextParam", "eventheader"}


def test_documentation_is_skipped() -> None:
    document = gzip.decompress(next((data_directory() / "iot").glob("*/service-2.json.gz")).read_bytes())
    assert b"documentation" in document
    assert b"documentation" not in msgspec.json.encode(model.decode(document))


def test_exceptions_are_found_by_their_code() -> None:
    iot = load("iot")
    assert iot.exception_name("ResourceNotFoundException") == "ResourceNotFoundException"
    assert iot.exception_name("CreateThingRequest") is None
    assert iot.exception_name("NoSuchException") is None


def test_a_code_that_is_not_the_name_of_its_shape_is_found_too() -> None:
    document = b"""{"metadata": {"apiVersion": "1", "protocol": "rest-json", "endpointPrefix": "x"}, "operations": {},
        "shapes": {"Broken": {"type": "structure", "exception": true, "error": {"code": "Broken.Thing"}}}}"""
    assert model.decode(document).exception_name("Broken.Thing") == "Broken"
