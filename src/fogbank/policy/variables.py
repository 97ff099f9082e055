"""Policy variables: `${iot:ClientId}` and its like in resources and condition values.

A template is split into text, wildcards and variables when the policy is parsed, and only then are values filled in:
a client that calls itself `*` or `#` fills in a literal star, never a wildcard. A variable without a value makes no
text at all, so that the pattern which holds it matches nothing (developer guide, iot-policy-variables).
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fogbank.policy.wildcards import Token, tokens_of
from fogbank.ports import Identity, ThingContext

Values = Mapping[str, str | Sequence[str]]
"""Values by variable or condition key, as AWS spells them; several values where the credential holds several."""

_ESCAPES = ("*", "?", "$")
"""`${*}`, `${?}` and `${$}` stand for the characters themselves."""

_FIRST_VALUE_ONLY = ("iot:certificate.subject.", "iot:certificate.issuer.")
"""Names whose plain form means the first of several values; all of them are at `.List`."""


class Variable(msgspec.Struct, frozen=True):
    """A `${name}` in a template."""

    name: str
    key: str
    """The name with the case folded as far as case does not matter."""


class UnclosedVariable(ValueError):
    """A `${` without its `}`."""


class Template(msgspec.Struct, frozen=True):
    """A resource or condition value as written, split into text, wildcards and variables."""

    text: str
    pieces: tuple[Token | Variable, ...]

    @property
    def variables(self) -> list[Variable]:
        return [piece for piece in self.pieces if isinstance(piece, Variable)]

    def fill(self, variables: "Variables") -> tuple[Token, ...] | None:
        """The pattern with all variables replaced; None where one of them has no value."""
        tokens: list[Token] = []
        for piece in self.pieces:
            if isinstance(piece, Variable):
                value = variables.text(piece.key)
                if value is None:
                    return None
                piece = value
            tokens.append(piece)
        return tuple(tokens)


class Variables:
    """What is known of a connection and, where asked with a context, of one request. Names are not case-sensitive."""

    __slots__ = ("_values",)

    def __init__(self, values: Values, context: Values | None = None) -> None:
        self._values = {fold(name): value for name, value in values.items()}
        if context:
            self._values.update((fold(name), value) for name, value in context.items())

    def extended(self, context: Values) -> "Variables":
        """These and those of one request, which win."""
        extended = Variables(context)
        extended._values = self._values | extended._values
        return extended

    def text(self, key: str) -> str | None:
        """The one value that `${key}` is replaced by: the first of several."""
        values = self.all(key)
        return values[0] if values else None

    def all(self, key: str) -> Sequence[str] | None:
        """The values of a folded condition key; None where it is missing.

        Of several values in a certificate, the plain name is the first, `.List` all, and `.1` the second: the guide
        calls the index one-based and then shows a zero-based one (iot-policy-variables, X.509 certificate variables).
        """
        value = self._values.get(key)
        if value is not None:
            values = (value,) if isinstance(value, str) else value
            return values[:1] if key.startswith(_FIRST_VALUE_ONLY) else values
        base, _, suffix = key.rpartition(".")
        several = self._values.get(base)
        if several is None:
            return None
        values = (several,) if isinstance(several, str) else several
        if suffix == "list":
            return values
        if suffix.isascii() and suffix.isdecimal() and len(suffix) < len("1000"):
            return values[int(suffix) : int(suffix) + 1] or None
        return None


def fold(name: str) -> str:
    """Names are not case-sensitive, but the thing attribute in `...Attributes[serialNumber]` is."""
    head, bracket, tail = name.partition("[")
    return head.lower() + bracket + tail


def parse_template(text: str, *, variables: bool) -> Template:
    """Split `text`; without `variables` (policy version 2008-10-17) a `${` is plain text. Raises UnclosedVariable."""
    return Template(text, tuple(_pieces(text) if variables else tokens_of(text)))


def _pieces(text: str) -> Iterator[Token | Variable]:
    rest = text
    while rest:
        before, opening, after = rest.partition("${")
        yield from tokens_of(before)
        if not opening:
            return
        name, closing, rest = after.partition("}")
        if not closing:
            raise UnclosedVariable(f"the variable in {text!r} is not closed: write ${{name}}, or ${{$}} for a dollar")
        yield name if name in _ESCAPES else Variable(name, fold(name))


def _address(text: str) -> str:
    """An address as policies name it: 203.0.113.7 is that too where the socket says ::ffff:203.0.113.7."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def direct_message_context(topic: str) -> Values:
    """The condition key of `iot:SendDirectMessage`: the name of the topic. UNVERIFIED: it may be its ARN."""
    return {"iot:Topic": topic}


def connect_context(*, persistent: bool, will_topic: str | None) -> Values:
    """The condition keys of `iot:Connect` (developer guide, connect-policy). `will_topic` is the ARN of its topic."""
    attributes = ["PersistentConnect"] if persistent else []
    context: dict[str, str | Sequence[str]] = {"iot:ConnectAttributes": attributes}
    if will_topic is not None:
        attributes.append("LastWill")
        context["iot:LastWillTopic"] = will_topic
    return context


def connection_variables(
    identity: Identity | None,
    *,
    client_id: str | None = None,
    thing: ThingContext | None = None,
    source_ip: str | None = None,
    domain_name: str | None = None,
) -> dict[str, str | Sequence[str]]:
    """The variables that are fixed for one connection, for `PolicySet.bind`. What is None stays without a value."""
    values: dict[str, str | Sequence[str]] = {}
    if identity is not None:
        values.update(identity.attributes)
        if identity.arn.split(":", 5)[-1].startswith("cert/"):
            values["iot:CertificateId"] = identity.id
    address = None if source_ip is None else _address(source_ip)
    domain = None if domain_name is None else domain_name.lower()  # a host name in capitals is the same host
    known = {"iot:ClientId": client_id, "aws:SourceIp": address, "iot:DomainName": domain}
    values.update((name, value) for name, value in known.items() if value is not None)
    if client_id is not None:
        values["iot:Connection.Thing.IsAttached"] = "true" if thing is not None and thing.attached else "false"
    if thing is not None and thing.attached:
        values["iot:Connection.Thing.ThingName"] = values["iot:Thing.ThingName"] = thing.name
        if thing.type_name is not None:
            values["iot:Connection.Thing.ThingTypeName"] = thing.type_name
        for name, value in thing.attributes.items():
            values[f"iot:Connection.Thing.Attributes[{name}]"] = value
    return values
