"""`fogbank ca`: authorities of one's own, whose devices the instance lets in, and those it is to let in no more."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fogbank.cli.api_errors import api_errors
from fogbank.cli.device_files import DeviceFiles
from fogbank.cli.instance import Instance
from fogbank.cli.new_files import write_new
from fogbank.cli.terminal import printable
from fogbank.cli.which import DATA

CA_KEY_PASSPHRASE = "FOGBANK_CA_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
"""The environment variable with the passphrase of one's own CA's key. That of the instance's has a name of its own."""
CRL_PATH = "/_fogbank/certificates/crl"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)

CA = click.option("--ca", "ca_file", type=FILE, required=True, help="The CA's certificate, in PEM.")
KEY = click.option("--key", type=FILE, required=True, help="The CA's private key, in PEM.")
PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=FILE,
    help=f"What the CA's key is encrypted with.  [default: ${CA_KEY_PASSPHRASE}, else asked for]",
)


@click.group()
def ca() -> None:
    """Use certificate authorities of your own: for factories, and for devices with keys that never leave them.

    \b
      fogbank ca create factory --out ca                      a CA: ca/factory.cert.pem and its encrypted key
      fogbank ca register ca/factory.cert.pem --key ca/factory.private.key --auto
      fogbank ca issue lamp-1 --ca ca/factory.cert.pem --key ca/factory.private.key --out certs

    With --auto the instance registers a device of the CA when it first connects (just-in-time registration): a rule on
    $aws/events/certificates/registered/ID then activates it, or with --template the instance itself does.
    """


@ca.command()
@click.argument("name")
@click.option("--out", type=DIRECTORY, required=True, help="Where to write NAME.cert.pem and NAME.private.key.")
@click.option("--days", type=click.IntRange(1, 36_500), default=3650, show_default=True, help="How long it is valid.")
@PASSPHRASE_FILE
@click.option("--unencrypted", is_flag=True, help="Do not encrypt the key.")
def create(name: str, out: Path, days: int, passphrase_file: Path | None, unencrypted: bool) -> None:
    """Make a CA: a P-256 key, encrypted, and its certificate. No instance is needed."""
    from fogbank.cli.own_authority import OwnAuthority

    with api_errors(f"create {name}"):
        passphrase = None if unencrypted else _passphrase(passphrase_file, "the new key", confirm=True)()
        made = OwnAuthority.make(name, days)
        out.mkdir(parents=True, exist_ok=True)
        key, certificate = out / f"{name}.private.key", out / f"{name}.cert.pem"
        write_new(key, made.key_pem(passphrase), 0o600)
        write_new(certificate, made.pem, 0o644)
    click.echo(f"CA       {name}, valid until {made.certificate.not_valid_after_utc:%Y-%m-%d}")
    click.echo(f"files    {certificate}  {key}{'' if passphrase else '  (not encrypted)'}")
    click.echo(f"\nNext: fogbank ca register {certificate} --key {key} --auto")


@ca.command()
@click.argument("certificate", type=FILE)
@click.option("--key", type=FILE, help="Its private key, which proves that it is yours; it is not sent.")
@PASSPHRASE_FILE
@click.option("--auto", is_flag=True, help="Register its devices when they first connect.")
@click.option("--template", metavar="NAME", help="With --auto: provision them by this template (of type JITP).")
@click.option("--template-body", type=FILE, help="With --auto: provision them by the template in this file.")
@click.option("--role", metavar="ARN", help="With --template-body: the role that provisions.")
@click.option("--sni-only", is_flag=True, help="Without proof, hence without --key; other accounts may do the same.")
@DATA
def register(
    certificate: Path,
    key: Path | None,
    passphrase_file: Path | None,
    auto: bool,
    template: str | None,
    template_body: Path | None,
    role: str | None,
    sni_only: bool,
    data: Path | None,
) -> None:
    """Register a CA with the instance, active at once.

    The key signs a certificate for the instance's registration code, here: that is all the proof there is, and all that
    leaves this machine.
    """
    from fogbank.cli.own_authority import OwnAuthority

    if (key is None) is not sni_only:
        raise click.UsageError("say --key FILE, or --sni-only to register without proof")
    if (template or template_body) and not auto:
        raise click.UsageError("--template and --template-body go with --auto")
    iot = Instance.find(data).client("iot")
    with api_errors(f"register {certificate}"):
        wish: dict[str, Any] = {"setAsActive": True, "allowAutoRegistration": auto}
        if key is not None:
            own = OwnAuthority.read(certificate, key, _passphrase(passphrase_file, str(key)))
            wish["verificationCertificate"] = own.verification(iot.get_registration_code()["registrationCode"])
        else:
            wish["certificateMode"] = "SNI_ONLY"
        if template is not None:
            wish["registrationConfig"] = {"templateName": template}
        elif template_body is not None:
            config = {"templateBody": template_body.read_text(), "roleArn": role}
            wish["registrationConfig"] = {name: value for name, value in config.items() if value}
        made = iot.register_ca_certificate(caCertificate=certificate.read_text(), **wish)
    click.echo(f"CA       {made['certificateId']}  ACTIVE{', registers its devices' if auto else ''}")
    if auto and not (template or template_body):
        click.echo(f"event    $aws/events/certificates/registered/{made['certificateId']}")


@ca.command()
@click.argument("name")
@CA
@KEY
@PASSPHRASE_FILE
@click.option("--out", type=DIRECTORY, required=True, help="Where to write NAME.cert.pem, NAME.private.key and ca.pem.")
@click.option("--csr", type=FILE, help="The device's own request: then its key stays where it is.")
@click.option("--days", type=click.IntRange(1, 36_500), default=3650, show_default=True, help="How long it is valid.")
@click.option("--server-ca", type=FILE, help="What the device trusts servers by.  [default: asked of the instance]")
@DATA
def issue(
    name: str,
    ca_file: Path,
    key: Path,
    passphrase_file: Path | None,
    out: Path,
    csr: Path | None,
    days: int,
    server_ca: Path | None,
    data: Path | None,
) -> None:
    """Sign a certificate for a device; its common name is NAME. The instance does not hear of it.

    \b
      fogbank ca issue lamp-1 --ca ca/factory.cert.pem --key ca/factory.private.key --out certs
      fogbank ca issue lamp-2 --ca ca/factory.cert.pem --key ca/factory.private.key --csr lamp-2.csr --out certs
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from fogbank.cli.own_authority import OwnAuthority, named, read_request

    trusted = Instance.find(data).ca() if server_ca is None else server_ca.read_bytes()
    files = DeviceFiles(out, name)
    with api_errors(f"issue {name}"):
        files.check(trusted)
        own = OwnAuthority.read(ca_file, key, _passphrase(passphrase_file, str(key)))
        private = None
        if csr is None:
            made = ec.generate_private_key(ec.SECP256R1())
            private = made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
            certificate = own.issue(named(name), made.public_key(), days)
        else:
            certificate = own.issue(named(name), read_request(csr).public_key(), days)
        files.write(certificate, private, trusted)
    written = [files.certificate, files.ca] if private is None else [files.certificate, files.key, files.ca]
    click.echo(f"device   {name}")
    click.echo("files    " + "  ".join(map(str, written)))


@ca.command("list")
@DATA
def list_(data: Path | None) -> None:
    """List the registered CAs: ID, status, whether devices register themselves, subject."""
    iot = Instance.find(data).client("iot")
    with api_errors("list CAs"):
        for one in _all(iot.list_ca_certificates, "certificates"):
            found = iot.describe_ca_certificate(certificateId=one["certificateId"])
            known = found["certificateDescription"]
            auto = "auto" if known["autoRegistrationStatus"] == "ENABLE" else "-"
            click.echo(f"{known['certificateId']}  {known['status']:8}  {auto:4}  {_subject(known['certificatePem'])}")


@ca.command()
@click.argument("id_", metavar="ID")
@click.option("--active/--inactive", default=None, help="Whether its certificates can be registered.")
@click.option("--auto/--no-auto", default=None, help="Whether its devices are registered when they first connect.")
@DATA
def update(id_: str, active: bool | None, auto: bool | None, data: Path | None) -> None:
    """Change a CA. Devices that are registered already stay as they are."""
    if active is None and auto is None:
        raise click.UsageError("say what to change: --active, --inactive, --auto or --no-auto")
    iot = Instance.find(data).client("iot")
    with api_errors(f"update {id_}"):
        wish = {}
        if active is not None:
            wish["newStatus"] = "ACTIVE" if active else "INACTIVE"
        if auto is not None:
            wish["newAutoRegistrationStatus"] = "ENABLE" if auto else "DISABLE"
        iot.update_ca_certificate(certificateId=id_, **wish)
    click.echo(f"CA       {id_}  {'  '.join(wish.values())}")


@ca.command()
@click.argument("id_", metavar="ID")
@DATA
def delete(id_: str, data: Path | None) -> None:
    """Forget a CA. Its devices that are registered already stay, and new ones are strangers."""
    iot = Instance.find(data).client("iot")
    with api_errors(f"delete {id_}"):
        iot.update_ca_certificate(certificateId=id_, newStatus="INACTIVE")
        iot.delete_ca_certificate(certificateId=id_)
    click.echo(f"CA       {id_}  deleted")


@ca.command()
@click.argument("certificates", type=FILE, nargs=-1)
@CA
@KEY
@PASSPHRASE_FILE
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The list, in PEM.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="Until the next is due.")
def crl(
    certificates: tuple[Path, ...], ca_file: Path, key: Path, passphrase_file: Path | None, out: Path, days: int
) -> None:
    """Sign a revocation list of the certificates in these files. No instance is needed; `revoke` gives it to one."""
    from cryptography import x509

    from fogbank.cli.own_authority import OwnAuthority

    with api_errors("make the revocation list"):
        own = OwnAuthority.read(ca_file, key, _passphrase(passphrase_file, str(key)))
        listed = []
        for path in certificates:
            try:
                listed.append(x509.load_pem_x509_certificate(path.read_bytes()))
            except ValueError:
                raise click.ClickException(f"{path} is not a certificate in PEM") from None
        write_new(out, own.crl(listed, days), 0o644)
    click.echo(f"list     {out}: {len(listed)} revoked")


@ca.command()
@click.argument("list_", metavar="CRL", type=FILE)
@DATA
def revoke(list_: Path, data: Path | None) -> None:
    """Give the instance a registered CA's revocation list, in PEM or DER.

    All that it lists is REVOKED for good, connections included, and whatever of it has not been registered yet will
    not be. Single certificates: aws iot update-certificate --new-status REVOKED.
    """
    import msgspec

    answer = Instance.find(data).post(CRL_PATH, list_.read_bytes(), "application/pkix-crl")
    for name, value in msgspec.json.decode(answer, type=dict[str, Any]).items():
        click.echo(f"{name:24} {value}")


def _passphrase(file: Path | None, of: str, *, confirm: bool = False) -> Callable[[], bytes]:
    """Asks for the passphrase when it is needed: of the file, the environment, or the person at the terminal."""

    def ask() -> bytes:
        if file is not None:
            given = file.read_text().strip()
        elif (known := os.environ.get(CA_KEY_PASSPHRASE)) is not None:
            given = known
        elif sys.stdin.isatty():
            given = click.prompt(f"Passphrase of {of}", hide_input=True, confirmation_prompt=confirm)
        else:
            without = ", or --unencrypted" if confirm else ""
            raise click.ClickException(f"no passphrase for {of}: say --passphrase-file, ${CA_KEY_PASSPHRASE}{without}")
        if not given:
            raise click.ClickException(f"the passphrase of {of} is empty")
        return str(given).encode()

    return ask


def _all(operation: Callable[..., dict[str, Any]], members: str) -> list[dict[str, Any]]:
    """All pages of a list with `marker`."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = operation(pageSize=100, **more)
        found += page[members]
        if not page.get("nextMarker"):
            return found
        more = {"marker": page["nextMarker"]}


def _subject(pem: str) -> str:
    from cryptography import x509

    return printable(x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string())
