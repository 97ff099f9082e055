"""Every action of botocore's model is either made or refused by its name."""

import gzip
import json
from pathlib import Path
from typing import Any, cast

import botocore
import pytest

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest
from fogbank.rules.actions.base import Context
from fogbank.rules.actions.catalogue import MAKERS, make_action
from fogbank.sql import parse


def _actions_of_the_model() -> list[str]:
    path = Path(botocore.__file__).parent / "data/iot/2015-05-28/service-2.json.gz"
    return sorted(json.loads(gzip.decompress(path.read_bytes()))["shapes"]["Action"]["members"])


CONTEXT = Context("r", parse("SELECT * FROM 't'"), Arns("us-east-1", "123456789012"), cast(Any, None), cast(Any, None))


def test_what_is_supported_is_in_the_model() -> None:
    assert set(MAKERS) < set(_actions_of_the_model())


@pytest.mark.parametrize("kind", sorted(set(_actions_of_the_model()) - set(MAKERS)))
def test_what_is_not_supported_is_refused_by_name(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=f'action "{kind}" is not supported yet'):
        make_action({kind: {}}, CONTEXT)


@pytest.mark.parametrize("members", [{}, {"lambda": None}, {"lambda": {}, "republish": {}}])
def test_an_action_names_exactly_one_type(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="exactly one action type"):
        make_action(members, CONTEXT)
