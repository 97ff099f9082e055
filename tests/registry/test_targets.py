import pytest

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.registry.targets import Holder, HolderKind, certificate_of, holder_of, holder_of_key

ID = "0123456789abcdef" * 4
ARN = f"arn:aws:iot:eu-west-1:123456789012:cert/{ID}"
GROUP = "arn:aws:iot:eu-west-1:123456789012:thinggroup/house:1"
COGNITO = "eu-west-1:8d0b9e1c-1111-4222-8333-444455556666"


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


def test_a_cognito_identity_is_refused_by_name_as_a_principal_of_things(arns: Arns) -> None:
    with pytest.raises(NotImplementedByFogbank, match="Cognito identities"):
        certificate_of(COGNITO, arns)


def test_a_group_is_no_principal_of_things(arns: Arns) -> None:
    with pytest.raises(InvalidRequest, match="Invalid Target"):
        certificate_of(GROUP, arns)


@pytest.mark.parametrize(
    ("target", "holder", "key"),
    [
        (ARN, Holder(HolderKind.CERTIFICATE, ID), f"cert/{ID}/p"),
        (GROUP, Holder(HolderKind.GROUP, "house:1"), "group/house:1/p"),
        (COGNITO, Holder(HolderKind.IDENTITY, COGNITO), f"identity/{COGNITO}/p"),
    ],
)
def test_who_holds_policies_has_an_arn_and_a_key(arns: Arns, target: str, holder: Holder, key: str) -> None:
    assert holder_of(target, arns) == holder
    assert holder.target(arns) == target
    assert holder.key("p") == key
    assert holder_of_key(key) == holder


@pytest.mark.parametrize("target", ["x", f"{GROUP}/x", GROUP[: -len("house:1")], f"{COGNITO}0", f"{GROUP}\n"])
def test_what_can_hold_no_policy_is_an_invalid_target(arns: Arns, target: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid Target"):
        holder_of(target, arns)
