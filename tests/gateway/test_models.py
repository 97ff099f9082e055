import gzip
from pathlib import Path

import pytest

from fogbank.errors import FogbankError
from fogbank.gateway import models

DOCUMENT = b"""{"metadata": {"apiVersion": "%b", "protocol": "rest-json", "endpointPrefix": "x"},
    "operations": {}, "shapes": {}}"""


def write(directory: Path, version: str, *, packed: bool) -> None:
    home = directory / "toy" / version
    home.mkdir(parents=True)
    document = DOCUMENT % version.encode()
    if packed:
        (home / "service-2.json.gz").write_bytes(gzip.compress(document))
    else:
        (home / "service-2.json").write_bytes(document)


@pytest.mark.parametrize("packed", [True, False])
def test_the_newest_version_is_read(tmp_path: Path, packed: bool) -> None:
    for version in ("2014-11-11", "2015-03-31", "2013-01-01"):
        write(tmp_path, version, packed=packed)
    assert models.load("toy", tmp_path).metadata.api_version == "2015-03-31"


def test_a_service_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(FogbankError, match="botocore has no model of 'toy'"):
        models.load("toy", tmp_path)


def test_no_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FogbankError, match="botocore is not installed"):
        models.data_directory()
