"""What the command line of `fogbank policy simulate` says, made out: who acts, and what is asked.

Raises click's UsageError and BadParameter where it says nothing that makes sense.
"""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from fogbank.arns import Arns
from fogbank.cli.simulation import Principal, Question
from fogbank.policy import connect_context
from fogbank.ports import Identity, PolicyDocument, ThingContext
from fogbank.topics import InvalidTopic, check_filter, check_topic

SHORT_RESOURCES = ("client/", "topic/", "topicfilter/", "thing/", "rolealias/")
"""Resources that may be given without `arn:aws:iot:REGION:ACCOUNT:` before them."""
_DESCRIBED = ("thing", "thing_type", "attribute", "exclusive", "group_policy", "certificate", "region", "account_id")
"""Options that describe what the registry knows itself where it is asked."""


class Options(NamedTuple):
    """What the command line says."""

    policies: tuple[Path, ...]
    connect: tuple[str, ...]
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    receive: tuple[str, ...]
    action: str | None
    resource: tuple[str, ...]
    client_id: str | None
    thing: str | None
    exclusive: bool
    thing_type: str | None
    attribute: tuple[str, ...]
    group_policy: tuple[Path, ...]
    no_thing: bool
    certificate: Path | None
    source_ip: str | None
    domain_name: str | None
    persistent: bool
    will_topic: str | None
    retain: bool
    context: tuple[str, ...]
    region: str
    account_id: str
    principal: str | None
    data: Path | None
    as_json: bool


def check_text(options: Options) -> None:
    """No device has a name that is not UTF-8, nor has a policy."""
    for name, value in options._asdict().items():
        for text in value if isinstance(value, tuple) else (value,):
            try:
                str(text).encode()
            except UnicodeEncodeError:
                raise click.BadParameter("is not UTF-8", param_hint=f"--{name.replace('_', '-')}") from None


# --- who asks ---------------------------------------------------------------------------------------------------


def principal_of(options: Options) -> Principal:
    """The principal that the options describe, or name in the registry. Raises ClickException where there is none."""
    if options.principal is None:
        return _described(options)
    _refuse_described()
    from fogbank.cli.instance import Instance
    from fogbank.cli.registered import registered

    principal = registered(Instance.find(options.data), options.principal)
    policies = (*principal.policies, *_documents(options.policies))
    attached = {} if options.no_thing else principal.attached
    return msgspec.structs.replace(principal, policies=policies, attached=attached)


def _described(options: Options) -> Principal:
    if not options.policies and not options.group_policy:
        raise click.UsageError("give the documents with --policy FILE, or with --principal a certificate that has some")
    if options.data is not None:
        raise click.UsageError("--data is where --principal is looked up; give both")
    if options.thing is None:
        if options.thing_type is not None or options.attribute or options.exclusive or options.group_policy:
            raise click.UsageError(
                "--thing-type, --attribute, --exclusive and --group-policy tell of a thing; name it with --thing"
            )
    elif options.no_thing:
        raise click.UsageError("--thing and --no-thing exclude one another")
    attributes = dict(_pair(one, "--attribute") for one in options.attribute)
    inherited = _documents(options.group_policy)
    arns = Arns(options.region, options.account_id)
    return Principal(
        arns,
        _documents(options.policies),
        None if options.certificate is None else _identity(options.certificate, arns),
        {} if options.thing is None else {options.thing: options.exclusive},
        lambda name: ThingContext(name, True, options.thing_type, attributes),
        lambda name: inherited,
    )


def _refuse_described() -> None:
    context = click.get_current_context()
    given = [
        name for name in _DESCRIBED if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"--{given[0].replace('_', '-')} is known to the registry that --principal is read from")


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
    return key, value


def _documents(files: tuple[Path, ...]) -> tuple[PolicyDocument, ...]:
    try:
        return tuple(PolicyDocument(str(file), _read(file).decode("utf-8-sig")) for file in files)
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"a policy document is not UTF-8: {error}", param_hint="--policy") from None


def _identity(file: Path, arns: Arns) -> Identity:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    from fogbank.registry.certificate_variables import certificate_variables

    try:
        certificate = x509.load_pem_x509_certificate(_read(file))
        id_ = certificate.fingerprint(SHA256()).hex()
        return Identity(id_, arns.iot("cert", id_), active=True, attributes=certificate_variables(certificate))
    except ValueError as error:
        raise click.BadParameter(f"{file} holds no certificate in PEM: {error}", param_hint="--certificate") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None


def source_ip_of(options: Options) -> str | None:
    """The address, if it is one."""
    try:
        return None if options.source_ip is None else str(ipaddress.ip_address(options.source_ip))
    except ValueError:
        raise click.BadParameter(f"{options.source_ip!r} is no IP address", param_hint="--source-ip") from None


def context_of(options: Options) -> dict[str, list[str]]:
    """The condition keys that are given, each with all its values."""
    context: dict[str, list[str]] = {}
    for key, value in (_pair(one, "--context") for one in options.context):
        context.setdefault(key, []).append(value)
    return context


# --- what is asked ----------------------------------------------------------------------------------------------


def questions_of(options: Options, principal: Principal) -> Iterator[Question]:
    """In the order of a device's life: connect, publish, subscribe, receive; then what was asked by its action."""
    _check_asked(options)
    arns = principal.arns
    by_action = [(options.action, _arn(one, arns)) for one in options.resource if options.action is not None]
    connects = [*_connects(options, arns)]
    yield from connects
    others = [
        *(one for topic in options.publish for one in _publishing(_topic(topic, "--publish"), options, arns)),
        *(("iot:Subscribe", arns.iot("topicfilter", _filter(one))) for one in options.subscribe),
        *(("iot:Receive", arns.iot("topic", _topic(one, "--receive"))) for one in options.receive),
        *(asked for asked in by_action if not _is_connect(options.action)),
    ]
    if others:
        client_id = _client_id(options, principal, connects)
        yield from (Question(action, resource, client_id) for action, resource in others)


def _check_asked(options: Options) -> None:
    if (options.action is None) is bool(options.resource):
        raise click.UsageError("--action and --resource go together")
    if options.action is not None and ":" not in options.action:
        raise click.BadParameter(
            f"{options.action!r} names no service; write iot:{options.action}", param_hint="--action"
        )
    connects = options.connect or _is_connect(options.action)
    if not (connects or options.publish or options.subscribe or options.receive or options.action):
        raise click.UsageError(
            "ask something: --connect, --publish, --subscribe, --receive or --action with --resource"
        )
    if options.retain and not (options.publish or options.will_topic is not None):
        raise click.UsageError("--retain is of what is published; ask with --publish TOPIC or --will-topic TOPIC")
    if not connects and (options.will_topic is not None or options.persistent):
        raise click.UsageError("--will-topic and --persistent are of connecting; ask with --connect CLIENT_ID")


def _connects(options: Options, arns: Arns) -> Iterator[Question]:
    """Connecting is asked by the client ID that is connected with; a will is published by it."""
    asked: list[tuple[str | None, str]] = [(one, arns.iot("client", one)) for one in options.connect]
    if _is_connect(options.action):
        asked += [
            (options.client_id or _client_of(arn, arns), arn) for arn in (_arn(one, arns) for one in options.resource)
        ]
    will = None if options.will_topic is None else _topic(options.will_topic, "--will-topic")
    will_arn = None if will is None else arns.iot("topic", will)
    context = connect_context(persistent=options.persistent, will_topic=will_arn)
    for client_id, resource in asked:
        yield Question("iot:Connect", resource, client_id, context)
        if will is not None:
            yield from (Question(action, arn, client_id) for action, arn in _publishing(will, options, arns))


def _publishing(topic: str, options: Options, arns: Arns) -> Iterator[tuple[str, str]]:
    """What must be allowed of a message, or of a will."""
    yield "iot:Publish", arns.iot("topic", topic)
    if options.retain:
        yield "iot:RetainPublish", arns.iot("topic", topic)


def _client_of(arn: str, arns: Arns) -> str | None:
    prefix = arns.iot("client", "")
    return arn.removeprefix(prefix) if arn.startswith(prefix) else None


def _client_id(options: Options, principal: Principal, connects: list[Question]) -> str | None:
    """Whose client ID all but connecting is asked by."""
    if options.client_id is not None:
        return options.client_id
    connecting = {one.client_id for one in connects if one.client_id is not None}
    if len(connecting) > 1:
        raise click.UsageError("say with --client-id which of those that connect asks the rest")
    candidates = connecting or {*principal.attached}
    return candidates.pop() if len(candidates) == 1 else None


def _arn(resource: str, arns: Arns) -> str:
    if resource.startswith("arn:") or resource == "*":
        return resource
    if not resource.startswith(SHORT_RESOURCES):
        raise click.BadParameter(
            f"{resource!r} is neither an ARN nor one of {', '.join(f'{kind}...' for kind in SHORT_RESOURCES)}",
            param_hint="--resource",
        )
    kind, _, name = resource.partition("/")
    return arns.iot(kind, name)


def _is_connect(action: str | None) -> bool:
    return action is not None and action.lower() == "iot:connect"


def _topic(text: str, option: str) -> str:
    try:
        return check_topic(text)
    except InvalidTopic as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _filter(text: str) -> str:
    try:
        return check_filter(text)
    except InvalidTopic as error:
        raise click.BadParameter(str(error), param_hint="--subscribe") from None
