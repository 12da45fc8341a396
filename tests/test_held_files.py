"""Kernel files that are kept open, within the limit of open files."""

from pathlib import Path

from collectors.held_files import HeldFiles


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_beyond_the_limit_are_read_without_being_held(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    files = HeldFiles(limit=1)
    opened = open_files()
    for _ in range(3):
        assert [files.read(str(tmp_path / name)) for name in "abc"] == [b"a", b"b", b"c"]
    assert files.read(str(tmp_path)) is None
    assert open_files() == opened + 1
    files.close()
    assert open_files() == opened
