import pytest

from fogbank.policy.absence import why_absent
from fogbank.policy.variables import Values, Variables, connection_variables, fold
from fogbank.ports import Identity, ThingContext

CERTIFICATE = Identity("c" * 64, "arn:aws:iot:r:1:cert/" + "c" * 64, True)
LAMP = connection_variables(CERTIFICATE, client_id="lamp", thing=ThingContext("lamp", True))
STRANGER = connection_variables(CERTIFICATE, client_id="x", thing=ThingContext("x", False))
HTTP = connection_variables(CERTIFICATE)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("iot:ClientId", HTTP, "there is none, as over HTTP"),
        ("iot:Connection.Thing.ThingName", HTTP, "there is no client ID to name a thing, as over HTTP"),
        ("iot:Thing.ThingName", STRANGER, "no thing of the client ID's name, 'x', is attached to the certificate"),
        ("iot:Connection.Thing.ThingTypeName", LAMP, "thing 'lamp' has no type"),
        ("iot:Connection.Thing.Attributes[Room]", LAMP, "thing 'lamp' has no such attribute"),
        ("iot:Connection.Thing.Name", LAMP, "there is no such variable"),
        ("iot:Certificate.Subject.CommonName", LAMP, "the certificate has none"),
        ("iot:Certificate.Subject.CommonName", {}, "there is no certificate"),
        ("iot:CertificateId", {}, "there is no certificate"),
        ("aws:SourceIp", LAMP, "the address is unknown"),
        ("iot:DomainName", LAMP, "the client named no server in the TLS handshake"),
        ("iot:ConnectAttributes", LAMP, "only iot:Connect has it"),
        ("iot:LastWillTopic", LAMP, "only iot:Connect with a last will has it"),
        ("iot:Topic", LAMP, "only iot:SendDirectMessage has it"),
        ("iot:Typo", LAMP, "there is no such variable"),
    ],
)
def test_why_a_name_has_no_value(name: str, values: Values, why: str) -> None:
    """Developer guide, iot-policy-variables, thing- and X.509 certificate policy variables, connect-policy."""
    variables = Variables(values)
    assert variables.all(fold(name)) is None
    assert why_absent(fold(name), variables) == why
