"""How to speak with Kafka: the section ``kafka`` of the configuration. Where secrets are, and no secret."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

File = Annotated[str, Meta(min_length=1, max_length=4096)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}$")]
Region = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}$")]


class Security(StrEnum):
    """What a connection is protected by."""

    PLAINTEXT = "plaintext"
    TLS = "tls"
    SASL_TLS = "sasl_tls"


class Mechanism(StrEnum):
    """How a client says who it is, inside TLS."""

    SCRAM_SHA_512 = "scram-sha-512"
    AWS_MSK_IAM = "aws-msk-iam"


class Compression(StrEnum):
    """What record batches are packed with."""

    ZSTD = "zstd"
    LZ4 = "lz4"


class KafkaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`bus: kafka://…`. Files are read again when they change."""

    security: Annotated[
        Security, Meta(description="plaintext, tls (a certificate may say who we are), or sasl_tls")
    ] = Security.PLAINTEXT
    ca: Annotated[File | None, Meta(description="PEM file of who signs the brokers; null: the system's")] = None
    certificate: Annotated[File | None, Meta(description="PEM file, for mutual TLS")] = None
    key: Annotated[File | None, Meta(description="PEM file of the certificate's key")] = None
    mechanism: Annotated[Mechanism, Meta(description="with sasl_tls: scram-sha-512 or aws-msk-iam")] = (
        Mechanism.SCRAM_SHA_512
    )
    username: Annotated[Name | None, Meta(description="with scram-sha-512")] = None
    password_file: Annotated[
        File | None,
        Meta(description="holds the password, one line; null: the file that GUARD_KAFKA_PASSWORD_FILE names"),
    ] = None
    region: Annotated[
        Region | None, Meta(description="of the brokers, with aws-msk-iam; null: what the environment says")
    ] = None
    compression: Annotated[Compression, Meta(description="zstd, or lz4, which takes less time")] = Compression.ZSTD
    prefix: Annotated[
        Prefix, Meta(description="put before the names of topics and groups: several installations on one cluster")
    ] = ""
    session_timeout: Annotated[
        float,
        # Brokers allow 6 s to 30 min (group.min.session.timeout.ms).
        Meta(ge=1, le=300, description="seconds of silence after which a detector is taken for dead"),
    ] = 8.0

    def __post_init__(self) -> None:
        """Refuse what would connect otherwise than it reads."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together, expected both or neither")
        if self.security is Security.PLAINTEXT and (self.ca or self.certificate):
            raise ValueError("security is plaintext, expected tls or sasl_tls where ca or certificate is given")
        scram = self.security is Security.SASL_TLS and self.mechanism is Mechanism.SCRAM_SHA_512
        if scram and self.username is None:
            raise ValueError("username is missing, expected one for scram-sha-512")
        if not scram and (self.username or self.password_file):
            raise ValueError("username and password_file are for security sasl_tls with scram-sha-512 alone")
