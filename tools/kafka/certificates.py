"""Certificates for tests: an authority, what it issues, and what it should not have issued."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A key with its certificate, as PEM files."""

    name: str
    """The common name; Kafka's principal is ``User:CN=<name>``."""
    certificate: Path
    key: Path
    keystore: Path
    """Key, certificate and issuer in one file, as Kafka's ``ssl.keystore.type=PEM`` reads it."""

    @property
    def principal(self) -> str:
        """Who this is for Kafka's ACLs."""
        return f"User:CN={self.name}"


class Authority:
    """A certificate authority with its own directory; ``certificate`` is what others trust."""

    def __init__(self, directory: Path, name: str = "trn-guard test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate = directory / "authority.pem"
        self._directory = directory
        self._subject = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        builder = (
            _builder(self._subject, self._subject, self._key.public_key(), now - _DAY, now + _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self._pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.certificate.write_bytes(self._pem)

    def issue(self, name: str, *, hosts: Sequence[str] = (), expired: bool = False, file: str = "") -> Identity:
        """A certificate for a client, or for a broker when ``hosts`` (names, addresses) are given.

        One that is ``expired`` was good until yesterday. ``file`` names the files when one name has several.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        first, last = (now - 30 * _DAY, now - _DAY) if expired else (now - _DAY, now + _DAY)
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _builder(_name(name), self._subject, key.public_key(), first, last)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(hosts)), critical=False)
        pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._write(name, file or name, pem, secret)

    def _write(self, name: str, file: str, pem: bytes, secret: bytes) -> Identity:
        identity = Identity(
            name,
            self._directory / f"{file}.pem",
            self._directory / f"{file}.key",
            self._directory / f"{file}.keystore.pem",
        )
        identity.certificate.write_bytes(pem)
        for path, content in ((identity.key, secret), (identity.keystore, secret + pem + self._pem)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return identity


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    first: dt.datetime,
    last: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(host) for host in dict.fromkeys(("localhost", "127.0.0.1", *hosts))]


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
