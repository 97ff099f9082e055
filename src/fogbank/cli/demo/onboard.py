"""The Lambda function that takes a new lamp in, deployed as it stands here: just-in-time registration's second half.

Written as for AWS, where cryptography comes in a layer. The event is AWS's: a CA that is registered has signed for a
certificate that nobody knew. Every step may be done twice, since a device that is impatient is told of twice.
"""

from typing import Any

import boto3
from cryptography import x509
from cryptography.x509.oid import NameOID

POLICY = "lamp-policy"
"""What every lamp may do."""

iot = boto3.client("iot")


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Make a thing of the name that the factory has given the device, and let it in."""
    found = iot.describe_certificate(certificateId=event["certificateId"])["certificateDescription"]
    if found["status"] != "PENDING_ACTIVATION":
        return {"status": found["status"]}
    name = common_name(found["certificatePem"])
    arn = found["certificateArn"]
    iot.create_thing(thingName=name)
    iot.attach_policy(policyName=POLICY, target=arn)
    # for itself alone: so lifecycle events name the thing
    iot.attach_thing_principal(thingName=name, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
    iot.update_certificate(certificateId=event["certificateId"], newStatus="ACTIVE")
    print(f"{name} is in")
    return {"thing": name, "status": "ACTIVE"}


def common_name(pem: str) -> str:
    """Of the certificate's subject."""
    [named] = x509.load_pem_x509_certificate(pem.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(named.value)
