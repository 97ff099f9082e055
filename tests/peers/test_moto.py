"""moto's own tests of AWS IoT, against `fogbank up`: an independent opinion on what clients of the API expect.

They are not part of this repository. Where `MOTO` names a checkout of moto's, they are run: as a test of each of their
files, and against the list of those that must fail, since moto departs from AWS's documentation there.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DIFFERENCES = HERE / "moto_differences.toml"
MOTO = os.environ.get("MOTO")
LEFT_OUT = frozenset({"test_iot_cloudformation.py", "test_server.py", "__init__.py"})
"""CloudFormation is not served; the servers of the other two are moto's own in process."""
TIMEOUT = 1200


def files() -> list[Path]:
    """Of the checkout, where there is one."""
    if MOTO is None:
        return []
    found = [one for name in ("test_iot", "test_iotdata") for one in sorted(Path(MOTO, "tests", name).glob("*.py"))]
    return [one for one in found if one.name not in LEFT_OUT]


def differences() -> dict[str, dict[str, str]]:
    """By file: the tests that fail, and why they should."""
    return tomllib.loads(DIFFERENCES.read_text())


def test_each_difference_has_a_reason() -> None:
    for file, tests in differences().items():
        assert file.endswith(".py")
        assert all(name.startswith("test_") and len(why) > 20 for name, why in tests.items()), file


@pytest.mark.skipif(MOTO is None, reason="MOTO names no checkout of github.com/getmoto/moto")
@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
def test_of_moto(file: Path) -> None:
    assert MOTO is not None
    environment = {
        **os.environ,
        "TEST_SERVER_MODE": "true",
        "TEST_SERVER_MODE_ENDPOINT": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join((MOTO, str(HERE))),
    }
    options = ("-p", "moto_plugin", "-p", "no:cacheprovider", "-p", "no:warnings", "-c", os.devnull)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", *options, "--rootdir", MOTO, str(file)],
        cwd=MOTO,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    failed = {
        line.split(" - ")[0].split("[")[0].rpartition("::")[2]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED ", "ERROR "))
    }
    assert "passed" in done.stdout, done.stdout + done.stderr
    assert failed == set(differences().get(file.name, {})), done.stdout
