"""A stream of bytes cut into lines, within a bound on what is held."""

from collections.abc import Iterator


class Lines:
    """Cuts a stream into lines without holding a line that is too long: of that one only None is given.

    Args:
        longest: bytes of a line that is still given.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, raw: bytes) -> Iterator[bytes | None]:
        """The lines that ended in these bytes, without their ends; empty ones are left out."""
        *ends, rest = raw.split(b"\n")
        for end in ends:
            whole = None if self._size + len(end) > self._longest else b"".join([*self._pieces, end])
            self._pieces, self._size = [], 0
            if whole is None or whole.strip():
                yield whole
        self._size += len(rest)
        if self._size > self._longest:
            self._pieces = []
        elif rest:
            self._pieces.append(rest)
