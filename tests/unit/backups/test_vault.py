"""Files that appear complete or not at all."""

import hashlib
import stat

import pytest

from apps.backups import vault


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.dump"
    with vault.complete_or_absent(path) as file:
        file.write(b"half")
        assert not path.exists()
        assert vault.partial_of(path).exists()
        file.write(b"whole")
    assert path.read_bytes() == b"halfwhole"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.dump"]
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert vault.checksum(path) == hashlib.sha256(b"halfwhole").hexdigest()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_nothing_is_left_when_writing_fails(tmp_path, error):
    def fail_half_way():
        with vault.complete_or_absent(tmp_path / "a.dump") as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_file_of_somebody_else_is_not_overwritten(tmp_path):
    path = tmp_path / "a.dump"
    vault.partial_of(path).write_bytes(b"theirs")
    with pytest.raises(FileExistsError), vault.complete_or_absent(path):
        pytest.fail("the block must not run")
