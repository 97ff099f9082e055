"""Devices get temporary keys of a role for their certificate, by AWS's own provider and over plain HTTPS."""

import http.client
import json
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from awscrt import auth, io
from awscrt import http as crt_http
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.e2e.tunnel import Tunnel

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE
from fogbank.ready import Ready

TRUST = {"Effect": "Allow", "Principal": {"Service": "credentials.iot.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def alias(app: App, where: Ready, name: str) -> str:
    """A role alias whose role may read the shadow of the thing that asks, and its policy variables say which."""
    own = app.arn("thing/${credentials-iot:ThingName}")
    iam = boto3.client(
        "iam",
        endpoint_url=where.api,
        region_name=where.region,
        aws_access_key_id=where.access_key_id,
        aws_secret_access_key=where.secret_access_key,
        config=Config(proxies={}),
    )
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
    may = document({"Effect": "Allow", "Action": "iot:GetThingShadow", "Resource": own})
    iam.put_role_policy(RoleName=name, PolicyName="own-shadow", PolicyDocument=may)
    iam.close()
    app.iot.create_role_alias(roleAlias=name, roleArn=role, credentialDurationSeconds=900)
    return name


@pytest.fixture
def camera(app: App, alias: str, name: str) -> Credentials:
    return app.create_thing(name, app.policy(("iot:AssumeRoleWithCertificate", f"rolealias/{alias}")))


def data_plane(where: Ready, access_key: str, secret: str, token: str | None) -> Any:
    return boto3.client(
        "iot-data",
        endpoint_url=where.api,
        region_name=where.region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(proxies={}),
    )


def ask(where: Ready, device: Credentials | None, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    context = ssl.create_default_context(cafile=where.ca_file)
    if device is not None:
        context.load_cert_chain(device.certificate, device.key)
    connection = http.client.HTTPSConnection(where.https.host, where.https.port, context=context, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_sdks_provider(where: Ready, app: App, camera: Credentials, alias: str) -> None:
    options = io.TlsContextOptions.create_client_with_mtls_from_path(str(camera.certificate), str(camera.key))
    options.override_default_trust_store_from_path(ca_filepath=where.ca_file)
    with Tunnel(where.https.host, where.https.port) as tunnel:
        provider = auth.AwsCredentialsProvider.new_x509(
            endpoint="localhost",
            thing_name=camera.thing,
            role_alias=alias,
            tls_ctx=io.ClientTlsContext(options),
            http_proxy_options=crt_http.HttpProxyOptions(
                "127.0.0.1", tunnel.port, connection_type=crt_http.HttpProxyConnectionType.Tunneling
            ),
        )
        found = provider.get_credentials().result(PATIENCE)
    assert found.expiration is not None
    assert 800 < found.expiration.timestamp() - time.time() <= 901
    data = data_plane(where, found.access_key_id, found.secret_access_key, found.session_token)
    app.desire(camera.thing, {"film": True})
    shadow = json.loads(data.get_thing_shadow(thingName=camera.thing)["payload"].read())
    assert shadow["state"]["desired"] == {"film": True}
    with pytest.raises(ClientError) as refused:
        data.get_thing_shadow(thingName=f"{camera.thing}-other")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    data.close()


def test_over_plain_https(where: Ready, camera: Credentials, alias: str) -> None:
    path = f"/role-aliases/{alias}/credentials"
    status, answer = ask(where, camera, path, **{"x-amzn-iot-thingname": camera.thing})
    assert (status, list(answer)) == (200, ["credentials"])
    keys = answer["credentials"]
    assert keys.keys() == {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"}
    ends = datetime.strptime(keys["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 800 < ends.timestamp() - time.time() <= 901
    sts = boto3.client(
        "sts",
        endpoint_url=where.api,
        region_name=where.region,
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
        config=Config(proxies={}),
    )
    assert f":assumed-role/{alias}/" in sts.get_caller_identity()["Arn"]
    sts.close()


def test_who_gets_none(where: Ready, app: App, camera: Credentials, alias: str, name: str) -> None:
    path = f"/role-aliases/{alias}/credentials"
    assert ask(where, None, path)[0] == 403
    status, told = ask(where, camera, path, **{"x-amzn-iot-thingname": "another"})
    assert (status, told["message"]) == (403, "Access Denied")
    assert ask(where, camera, "/role-aliases/none/credentials")[0] == 403
    stranger = app.create_thing(f"{name}-stranger", app.policy(("iot:Connect", "*")))
    assert ask(where, stranger, path)[0] == 403
    [arn] = app.iot.list_thing_principals(thingName=camera.thing)["principals"]
    app.iot.update_certificate(certificateId=arn.split("/")[1], newStatus="INACTIVE")
    assert ask(where, camera, path)[0] == 403


def test_where_it_is(app: App, where: Ready) -> None:
    found = app.iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
    assert found.endswith(f":{where.https.port}")
