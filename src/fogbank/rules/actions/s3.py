"""The action `s3`: put the result of SELECT into a bucket, as the whole body of an object.

Developer Guide, "S3" rule action. A key that is the same for all messages is overwritten by each.
"""

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsAction, AwsCall
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled

ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
)


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's S3Action."""

    role_arn: str
    bucket_name: str
    key: str
    canned_acl: str | None = None


class S3Action(AwsAction):
    """Puts objects."""

    kind = "s3"
    title = "S3Action"
    parameters = Parameters
    service = "s3"
    complaint = "Failed to put S3 object"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.bucket_name, parameters.role_arn)
        acl = parameters.canned_acl
        if acl is not None and acl not in ACLS:
            raise InvalidRequest(f'action "s3": cannedAcl must be one of {", ".join(ACLS)}, it is {acl!r}')
        self._bucket = self.template("bucketName", parameters.bucket_name)
        self._key = self.template("key", parameters.key)
        self._acl = {} if acl is None else {"ACL": acl}

    def plan(self, firing: Firing) -> Plan:
        bucket = filled(self._bucket, firing, "bucketName", self.target)
        key = filled(self._key, firing, "key", bucket)
        params = {"Bucket": bucket, "Key": key, "Body": firing.output, **self._acl}
        need = Need("s3:PutObject", f"arn:{self._arns.partition}:s3:::{bucket}/{key}")
        return Plan(bucket, AwsCall("PutObject", params), need)
