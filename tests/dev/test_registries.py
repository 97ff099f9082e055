from collections.abc import Mapping

import pytest
from dev.registries import pip_settings, uv_settings


def test_of_the_output_of_pip_config_the_nearest_wins() -> None:
    lines = [
        ":env:.index-url='https://env.example/simple'",
        "global.index-url='https://global.example/simple'",
        "global.extra-index-url='https://a.example\\nhttps://b.example'",
        "install.timeout='9'",
        "nonsense",
    ]
    assert pip_settings(lines) == {
        "index-url": "https://env.example/simple",
        "extra-index-url": "https://a.example https://b.example",
        "timeout": "9",
    }


@pytest.mark.parametrize(
    ("pip", "environment", "expected"),
    [
        ({}, {}, {}),
        ({"index-url": "https://m.example"}, {}, {"UV_DEFAULT_INDEX": "https://m.example"}),
        ({"index-url": "https://m.example"}, {"UV_DEFAULT_INDEX": "https://own.example"}, {}),
        ({"index-url": "https://m.example"}, {"UV_INDEX_URL": "https://own.example"}, {}),
        (
            {"extra-index-url": "https://a.example https://b.example"},
            {},
            {"UV_INDEX": "https://a.example https://b.example", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"find-links": "/one /two"}, {}, {"UV_FIND_LINKS": "/one,/two"}),
        ({"cert": "/ca.pem", "quiet": "1"}, {}, {"SSL_CERT_FILE": "/ca.pem"}),
    ],
)
def test_pips_settings_in_uvs_words(
    pip: Mapping[str, str], environment: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    assert uv_settings(pip, environment) == expected
