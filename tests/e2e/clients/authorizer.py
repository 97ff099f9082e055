"""A custom authorizer as an application would deploy it: a function, a signing key, and permission to be asked."""

import base64
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.clients.base import Token

from fogbank.cli.demo.app import App

KEY_NAME = "token"
TOKEN, USERNAME, PASSWORD = "open-sesame", "somebody", "rosebud"

HANDLER = """
import base64

POLICY = {policy!r}

def handler(event, context):
    mqtt = event["protocolData"]["mqtt"]
    known = event["signatureVerified"] and event["token"] == {token!r}
    known = known and mqtt["username"].partition("?")[0] == {username!r}
    return {{
        "isAuthenticated": known and base64.b64decode(mqtt["password"]) == {password!r},
        "principalId": "somebody",
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
        "policyDocuments": [POLICY],
    }}
"""


def deploy(app: App, policy: dict[str, Any]) -> Token:
    """An authorizer that admits who brings the token, and gives the policy to them; and that token, signed."""
    name = f"a{uuid4().hex[:12]}"
    key = rsa.generate_private_key(65_537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    source = HANDLER.format(policy=policy, token=TOKEN, username=USERNAME, password=PASSWORD.encode())
    function = app.create_function(name, source)
    made = app.iot.create_authorizer(
        authorizerName=name,
        authorizerFunctionArn=function,
        tokenKeyName=KEY_NAME,
        tokenSigningPublicKeys={"first": public},
        status="ACTIVE",
    )
    app.functions.add_permission(
        FunctionName=name,
        StatementId="authorizer",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=made["authorizerArn"],
    )
    signature = key.sign(TOKEN.encode(), padding.PKCS1v15(), hashes.SHA256())
    return Token(name, KEY_NAME, TOKEN, base64.b64encode(signature).decode(), USERNAME, PASSWORD)
