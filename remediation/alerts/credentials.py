"""Secrets in files: one line each, read anew for every use, so that a new key needs no restart.

No error tells what a file holds.
"""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from remediation.alerts.protocol import SetupError, UnavailableError

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd lays what ``LoadCredential=`` names."""
_LARGEST = 4096
"""Bytes. The longest key or URL of any receiver is a tenth of that."""

_log = logging.getLogger(__name__)


def read_secret(file: str, environment: Mapping[str, str]) -> str:
    """Read the one line of a file, without the space around it.

    Args:
        file: its name; a relative one is looked for in ``$CREDENTIALS_DIRECTORY`` first.
        environment: where that variable is, `os.environ` say.

    Raises:
        SetupError: there is no such file, or it holds something else. The text names the file alone.
    """
    path = _place(file, environment)
    try:
        content = _content(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {os.strerror(error.errno or errno.EIO)}") from None
    if len(content) > _LARGEST:
        raise SetupError(f"{path}: expected one line with the secret, found more than {_LARGEST} bytes")
    return _line(content, path)


class Secret:
    """A secret of a channel that is open."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        """Read it once, to see that it is there.

        Raises:
            SetupError: it is not.
        """
        self._file, self._environment = file, environment
        read_secret(file, environment)
        with contextlib.suppress(OSError):
            if self.path.stat().st_mode & stat.S_IROTH:
                _log.warning("%s holds a secret that everybody on this machine may read: chmod o-r", self.path)

    def read(self) -> str:
        """Tell what the file holds now.

        Raises:
            UnavailableError: no secret.
        """
        try:
            return read_secret(self._file, self._environment)
        except SetupError as error:
            raise UnavailableError(str(error)) from None

    @property
    def path(self) -> Path:
        """For texts of errors."""
        return _place(self._file, self._environment)


def _place(file: str, environment: Mapping[str, str]) -> Path:
    directory = environment.get(CREDENTIALS)
    if directory and not Path(file).is_absolute() and (there := Path(directory) / file).exists():
        return there
    return Path(file)


def _content(path: Path) -> bytes:
    # Without waiting: a pipe nobody writes to would hold us for good.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SetupError(f"{path}: expected a file")
        return opened.read(_LARGEST + 1)


def _line(content: bytes, path: Path) -> str:
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise SetupError(f"{path}: expected one line with the secret, found no text") from None
    if not text:
        raise SetupError(f"{path}: expected one line with the secret, found nothing")
    if len(text.splitlines()) > 1:
        raise SetupError(f"{path}: expected one line with the secret, found several")
    if not text.isprintable():
        raise SetupError(f"{path}: expected one line with the secret, found unprintable characters")
    return text
