"""What provisioning keeps: templates with their versions, claims, and certificates that wait to be provisioned."""

import enum
from collections.abc import Mapping

import msgspec

from fogbank.ports import Documents
from fogbank.storage.collection import Collection


class TemplateType(enum.Enum):
    """Who provisions by a template (API model, TemplateType)."""

    FLEET_PROVISIONING = "FLEET_PROVISIONING"
    """Devices that hold a claim, over MQTT."""
    JITP = "JITP"
    """The first connection of a certificate that a registered CA has signed."""


class Hook(msgspec.Struct, frozen=True):
    """A function that is asked before a device is provisioned."""

    function_arn: str
    payload_version: str


class TemplateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One of a template's up to five bodies, as text. Times are seconds since the epoch, here and below."""

    body: str
    created: float


class ProvisioningTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A named template with all its versions, so that what must hold between them is one compare-and-set."""

    name: str
    type: TemplateType
    role_arn: str
    created: float
    modified: float
    default: int
    last: int
    """The highest version ever made: a number is never used again."""
    versions: Mapping[int, TemplateVersion]
    description: str | None = None
    enabled: bool = False
    hook: Hook | None = None

    @property
    def body(self) -> str:
        """The body in effect."""
        return self.versions[self.default].body


class TemplateCount(msgspec.Struct, frozen=True):
    """How many templates there are: those who create the last ones at once meet here."""

    count: int = 0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A short-lived certificate whose holder may provision one device by one template. Its key is the certificate's
    ID."""

    template: str
    expires: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a device has become."""

    request: str
    """A digest of what it had asked for: who repeats just that is answered the same again."""
    thing: str | None
    configuration: Mapping[str, str]


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that a device was given, and which waits to be provisioned. Its key is the certificate's ID."""

    token: str
    """The SHA-256 digest, in hex, of what proves that a device is the one it was given to."""
    principal: str
    """Who asked for it: the claim's certificate ID."""
    expires: float
    outcome: Outcome | None = None
    """None until it is provisioned: the token is used then."""


class Deadline(msgspec.Struct, frozen=True):
    """A certificate that goes unless something has been made of it by then. Its key begins with the time, so that
    those that are due come first."""

    certificate: str
    expires: float

    @property
    def key(self) -> str:
        return f"{deadline_prefix(self.expires)}/{self.certificate}"


def deadline_prefix(expires: float) -> str:
    """How the key of a deadline at this moment begins: the millisecond, in as many digits as any will have."""
    return f"{int(expires * 1000):015}"


class ProvisioningRecords:
    """Provisioning's collections."""

    def __init__(self, documents: Documents) -> None:
        self.commit = documents.commit
        self.templates = Collection(documents, "provisioning-template", ProvisioningTemplate)
        self.template_count = Collection(documents, "provisioning-template-count", TemplateCount)
        self.claims = Collection(documents, "provisioning-claim", Claim)
        self.ownerships = Collection(documents, "certificate-ownership", Ownership)
        self.deadlines = Collection(documents, "certificate-deadline", Deadline)
