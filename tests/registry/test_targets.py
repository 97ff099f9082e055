import pytest

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.registry.targets import certificate_of

ID = "0123456789abcdef" * 4
ARN = f"arn:aws:iot:eu-west-1:123456789012:cert/{ID}"


def test_a_certificate_arn_names_a_certificate(arns: Arns) -> None:
    assert certificate_of(ARN, arns) == ID


@pytest.mark.parametrize(
    "target",
    [
        "",
        ID,
        f"cert/{ID}",
        ARN.replace("eu-west-1", "us-east-1"),
        ARN.replace("123456789012", "999999999999"),
        ARN[:-1],
        ARN + "0",
        ARN + "/../x",
        ARN + "\n",
        ARN.upper(),
        ARN.replace("cert/", "thing/"),
    ],
)
def test_anything_else_is_an_invalid_target(arns: Arns, target: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid Target"):
        certificate_of(target, arns)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("arn:aws:iot:eu-west-1:123456789012:thinggroup/house", "Thing groups"),
        ("eu-west-1:8d0b9e1c-1111-4222-8333-444455556666", "Cognito identities"),
    ],
)
def test_what_aws_knows_beyond_certificates_is_refused_by_name(arns: Arns, target: str, named: str) -> None:
    with pytest.raises(NotImplementedByFogbank, match=named):
        certificate_of(target, arns)
