"""Topics, as the developer guide's page fleet-provision-api and AWS's SDK spell them."""

import pytest

from fogbank.registry.provisioning.payload_format import PayloadFormat
from fogbank.registry.provisioning.rates import Asked
from fogbank.registry.provisioning.topics import Question, question

QUESTIONS = {
    "$aws/certificates/create/json": Question(Asked.CREATE_KEYS, PayloadFormat.JSON),
    "$aws/certificates/create/cbor": Question(Asked.CREATE_KEYS, PayloadFormat.CBOR),
    "$aws/certificates/create-from-csr/json": Question(Asked.CREATE_FROM_CSR, PayloadFormat.JSON),
    "$aws/certificates/create-from-csr/cbor": Question(Asked.CREATE_FROM_CSR, PayloadFormat.CBOR),
    "$aws/provisioning-templates/T-1/provision/json": Question(Asked.REGISTER_THING, PayloadFormat.JSON, "T-1"),
    "$aws/provisioning-templates/ü b/provision/cbor": Question(Asked.REGISTER_THING, PayloadFormat.CBOR, "ü b"),
}


@pytest.mark.parametrize("topic", QUESTIONS)
def test_questions(topic: str) -> None:
    assert question(topic) == QUESTIONS[topic]


@pytest.mark.parametrize(
    "topic",
    [
        "$aws/certificates/",
        "$aws/certificates/create",
        "$aws/certificates/create/",
        "$aws/certificates/create/JSON",
        "$aws/certificates/create/xml",
        "$aws/certificates/create/json/accepted",
        "$aws/certificates/create/json/",
        "$aws/certificates/create-from-csr/json/rejected",
        "$aws/certificates/created/json",
        "$aws/provisioning-templates/T/provision/json/accepted",
        "$aws/provisioning-templates/T/provision",
        "$aws/provisioning-templates/T/provision/json\n",
        "$aws/provisioning-templates//provision/json",
        "$aws/provisioning-templates/a/b/provision/json",
        "$aws/provisioning-templates/T/other/json",
    ],
)
def test_nothing_is_asked_elsewhere(topic: str) -> None:
    assert question(topic) is None
