"""Who we are to Kafka: certificates and passwords, from files, as they are now."""

import importlib.util
import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from guard.bus import BusError, BusUnavailableError
from guard.bus.kafka_settings import KafkaSettings, Mechanism, Security

_MECHANISMS = {Mechanism.SCRAM_SHA_512: "SCRAM-SHA-512", Mechanism.AWS_MSK_IAM: "AWS_MSK_IAM"}

Stamp = tuple[tuple[str, int, int, int], ...]
"""Names of files with inode, time of change and size: another one where a file was renewed."""


class Credentials:
    """The files that the settings name, as they are now.

    Args:
        settings: the section ``kafka`` of the configuration.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._stamp = self._look()

    def renewed(self) -> bool:
        """Whether a file has changed since the connection options were made last."""
        return self._look() != self._stamp

    def options(self) -> dict[str, Any]:
        """Connection options in kafka-python's names.

        Raises:
            BusUnavailableError: a file cannot be read or used; it may be in the middle of a rotation.
        """
        settings = self._settings
        self._stamp = self._look()
        if settings.security is Security.PLAINTEXT:
            return {"security_protocol": "PLAINTEXT"}
        options: dict[str, Any] = {"security_protocol": "SSL", "ssl_context": _context(settings, self._stamp)}
        if settings.security is Security.SASL_TLS:
            options["security_protocol"] = "SASL_SSL"
            options["sasl_mechanism"] = _MECHANISMS[settings.mechanism]
            if settings.mechanism is Mechanism.SCRAM_SHA_512:
                options["sasl_plain_username"] = settings.username
                options["sasl_plain_password"] = _password(self._password_file())
            else:
                require("botocore", "kafka.mechanism is aws-msk-iam")
                if settings.region is not None:  # kafka-python asks botocore, which asks the environment
                    os.environ["AWS_DEFAULT_REGION"] = settings.region
        return options

    def _password_file(self) -> Path:
        name = self._settings.password_file or os.environ.get("GUARD_KAFKA_PASSWORD_FILE")
        if not name:
            raise BusError("kafka: no password; name its file in kafka.password_file or GUARD_KAFKA_PASSWORD_FILE")
        return Path(name)

    def _look(self) -> Stamp:
        settings = self._settings
        password = settings.password_file or os.environ.get("GUARD_KAFKA_PASSWORD_FILE")
        names = (settings.ca, settings.certificate, settings.key, password)
        return tuple(_stamp(name) for name in names if name)


@lru_cache(maxsize=1)
def _context(settings: KafkaSettings, _stamp: Stamp) -> ssl.SSLContext:
    """One for all connections until a file changes: the system's authorities alone are half a megabyte."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(file for file in (settings.ca, settings.certificate, settings.key) if file)
        raise BusUnavailableError(
            f"kafka: cannot use {files}: {error}; they must be PEM files that this user may read"
        ) from error
    return context


def _stamp(name: str) -> tuple[str, int, int, int]:
    try:
        found = Path(name).stat()
    except OSError:
        return (name, 0, 0, 0)
    return (name, found.st_ino, found.st_mtime_ns, found.st_size)


def _password(file: Path) -> str:
    try:
        password = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise BusUnavailableError(
            f"kafka: cannot read the password in {file}: {why}; kafka.password_file names it"
        ) from error
    if not password or "\n" in password:
        raise BusUnavailableError(f"kafka: {file} must hold the password in one line")
    return password


_EXTRAS = {"botocore": "msk", "lz4": "lz4"}


def require(package: str, wanted: str) -> None:
    """Refuse what needs a package that is not here.

    Raises:
        BusError: says which extra brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise BusError(f"{wanted}, which needs {package}: pip install 'trn-guard[{_EXTRAS[package]}]'")
