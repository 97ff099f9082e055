"""Provisioning templates, their versions and claims, as boto3 sees them."""

import json
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/provisioning"
BODY = {
    "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
    "Resources": {
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"},
        },
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "SerialNumber"}}},
    },
}


def tell(iot: Any) -> None:
    first, second = (json.dumps(BODY | {"DeviceConfiguration": {"version": number}}) for number in ("1", "2"))
    made = iot.create_provisioning_template(templateName="t", templateBody=first, provisioningRoleArn=ROLE)
    assert made["defaultVersionId"] == 1
    iot.update_provisioning_template(templateName="t", enabled=True, description="for lamps")
    added = iot.create_provisioning_template_version(templateName="t", templateBody=second, setAsDefault=True)
    assert (added["versionId"], added["isDefaultVersion"]) == (2, True)
    described = iot.describe_provisioning_template(templateName="t")
    assert (described["enabled"], described["defaultVersionId"], described["templateBody"]) == (True, 2, second)
    assert iot.describe_provisioning_template_version(templateName="t", versionId=1)["templateBody"] == first
    versions = iot.list_provisioning_template_versions(templateName="t")["versions"]
    assert {one["versionId"]: one["isDefaultVersion"] for one in versions} == {1: False, 2: True}
    iot.delete_provisioning_template_version(templateName="t", versionId=1)
    assert [one["templateName"] for one in iot.list_provisioning_templates()["templates"]] == ["t"]
    claim = iot.create_provisioning_claim(templateName="t")
    assert "PRIVATE KEY" in claim["keyPair"]["PrivateKey"]
    listed = [one["certificateId"] for one in iot.list_certificates(pageSize=250)["certificates"]]
    assert claim["certificateId"] not in listed
    iot.delete_provisioning_template(templateName="t")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_provisioning_template(templateName="t")
