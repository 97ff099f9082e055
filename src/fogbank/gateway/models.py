"""Reads botocore's service models from its data directory, without importing botocore (190 ms, 14 MB)."""

import gzip
import importlib.util
from pathlib import Path

from fogbank.awswire import model
from fogbank.awswire.model import ServiceModel
from fogbank.errors import FogbankError


def data_directory() -> Path:
    """Where botocore keeps its models. Raises FogbankError where botocore is not installed."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise FogbankError("botocore is not installed: it brings the API models that the gateway works from")
    return Path(spec.submodule_search_locations[0]) / "data"


def load(service: str, directory: Path | None = None) -> ServiceModel:
    """The model of a service in its newest API version. Raises FogbankError where there is none."""
    home = (directory or data_directory()) / service
    found = sorted([*home.glob("*/service-2.json.gz"), *home.glob("*/service-2.json")])
    if not found:
        raise FogbankError(f"botocore has no model of {service!r}: nothing like {home}/*/service-2.json.gz")
    document = found[-1].read_bytes()
    return model.decode(gzip.decompress(document) if found[-1].suffix == ".gz" else document)
