"""Amazon MSK with IAM: kafka-python signs as AWS's Signature Version 4 says, which is worked out here again."""

import hashlib
import hmac
import json
import os
from urllib.parse import quote

import pytest
from kafka.net.sasl import get_sasl_mechanism
from kafka.net.sasl.msk import AwsMskIamClient, SaslMechanismAwsMskIam

from guard.bus import BusError
from guard.bus.kafka_credentials import Credentials
from guard.bus.kafka_settings import KafkaSettings, Mechanism, Security

HOST = "b-1.guard.abc123.c2.kafka.us-east-1.amazonaws.com"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105  (AWS's own example)
MSK = KafkaSettings(security=Security.SASL_TLS, mechanism=Mechanism.AWS_MSK_IAM, region="eu-west-3")


def client(**other):
    client = AwsMskIamClient(
        **{"host": HOST, "access_key": "AKIDEXAMPLE", "secret_key": SECRET, "region": "us-east-1"} | other
    )
    client.datestamp, client.timestamp = "20120215", "20120215T101112Z"
    return client


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def test_the_signing_key_is_that_of_awss_documentation():
    example = client()
    example.service = "iam"
    told = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    assert example._signing_key.hex() == told


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzE/+=="])
def test_the_signature_is_that_of_a_presigned_connect(token):
    message = json.loads(client(token=token).first_message())
    scope = "20120215/us-east-1/kafka-cluster/aws4_request"
    query = {
        "Action": "kafka-cluster:Connect",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIDEXAMPLE/{scope}",
        "X-Amz-Date": "20120215T101112Z",
        "X-Amz-Expires": "900",
        **({"X-Amz-Security-Token": token} if token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    encoded = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in query.items())
    request = f"GET\n/\n{encoded}\nhost:{HOST}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n20120215T101112Z\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    assert message["x-amz-signature"] == sign(key, to_sign).hex()
    assert message.get("x-amz-security-token") == token
    assert SECRET not in json.dumps(message)


def test_it_goes_through_tls_and_takes_the_region_of_the_configuration(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    options = Credentials(MSK).options()
    assert options["security_protocol"] == "SASL_SSL"
    assert get_sasl_mechanism(options["sasl_mechanism"]) is SaslMechanismAwsMskIam
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-3"


def test_without_botocore_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BusError, match=r"trn-guard\[msk\]"):
        Credentials(MSK).options()
