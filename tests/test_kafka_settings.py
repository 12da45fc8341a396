"""The section ``kafka``: what fits together is taken, what does not is refused; no secret has a place in it."""

import pytest

from guard.bus.kafka_settings import KafkaSettings, Mechanism, Security
from guard.config_file import ConfigError, load


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "guard.yaml"
        path.write_text(content)
        return path

    return write


def test_a_fleets_configuration_is_read(written):
    config = load(
        written(
            "bus: kafka://a.example:9093,10.0.0.7:9093,[fd00::1]:9093\n"
            "kafka:\n  security: sasl_tls\n  ca: /c\n  username: u\n  password_file: /p\n  compression: lz4\n"
        )
    )
    assert config.kafka.security is Security.SASL_TLS
    assert config.kafka.mechanism is Mechanism.SCRAM_SHA_512


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{certificate: /c}", "certificate and key belong together"),
        ("{ca: /c}", "security is plaintext, expected tls or sasl_tls"),
        ("{security: sasl_tls}", "username is missing"),
        ("{security: tls, ca: /c, username: u}", "are for security sasl_tls with scram-sha-512 alone"),
        ("{security: sasl_tls, mechanism: aws-msk-iam, password_file: /p}", "with scram-sha-512 alone"),
        (
            "{security: sasl_plaintext}",
            "kafka.security: sasl_plaintext (expected one of plaintext, tls, sasl_tls)",
        ),
        ("{session_timeout: 0}", "kafka.session_timeout: 0 (expected a number >= 1)"),
    ],
)
def test_what_does_not_fit_together_is_refused(written, section, told):
    with pytest.raises(ConfigError) as caught:
        load(written(f"kafka: {section}\n"))
    assert told in str(caught.value)


def test_a_password_has_no_place_and_is_not_shown(written):
    with pytest.raises(
        ConfigError, match=r"kafka.password: unknown key, did you mean 'password_file'\?"
    ) as caught:
        load(written("kafka: {password: hunter2}\n"))
    assert "hunter2" not in str(caught.value)
    assert not [field for field in KafkaSettings.__struct_fields__ if field in ("password", "secret", "token")]


@pytest.mark.parametrize(
    "bus", ["kafka://h", "kafka://", "kafka://u:p@h:1", "kafka://h:1/x", "kafka://h:1,", "kafka:h:1"]
)
def test_an_address_without_a_port_or_with_more_than_hosts_is_refused(written, bus):
    with pytest.raises(ConfigError, match="bus: "):
        load(written(f"bus: {bus}\n"))
