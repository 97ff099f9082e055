"""Amazon Resource Names of the one account and region an instance serves."""

import msgspec


class Arns(msgspec.Struct, frozen=True):
    """Builds the ARNs of this instance. The shapes are those of AWS's service authorization reference."""

    region: str
    account: str
    partition: str = "aws"

    def of(self, service: str, resource: str) -> str:
        """`arn:{partition}:{service}:{region}:{account}:{resource}`."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def iot(self, kind: str, name: str) -> str:
        """An IoT resource: kind is `thing`, `thingtype`, `cert`, `policy`, `rule`, `client`, `topic`, ..."""
        return self.of("iot", f"{kind}/{name}")

    def function(self, name: str, qualifier: str | None = None) -> str:
        """A Lambda function, with its version or alias where `qualifier` is given."""
        return self.of("lambda", f"function:{name}" + (f":{qualifier}" if qualifier else ""))
