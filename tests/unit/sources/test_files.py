"""A folder as a vendor: nothing outside it, nothing beyond the cap."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import os
from datetime import UTC

import pytest

from apps.core.errors import DeskError
from apps.sources.calling import Journal
from apps.sources.errors import BadAnswer, NotAtVendor, VendorAway, VendorRefused
from apps.sources.files import FileCaller
from apps.sources.registry import is_folder
from apps.sources.unpacking import unpack

SIZE_MAX = 1_000


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "my recordings"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"hello")
    (inside / "sub" / "b.txt").write_bytes(b"deep")
    (inside / ".hidden").write_bytes(b"no")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return inside


def get(folder, path, journal=None):
    journal = journal or Journal(operation="test")
    caller = FileCaller(base_url=folder.as_uri(), slug="files", size_max=SIZE_MAX, journal=journal)
    return asyncio.run(caller.get(path))


def test_a_file_is_read_and_noted_as_a_call(folder):
    journal = Journal(operation="test")
    reply = get(folder, "/a.txt", journal)
    assert reply.body == b"hello"
    assert reply.received_at.tzinfo is UTC
    assert (journal.calls, journal.size_bytes, journal.received_at, journal.status) == (1, 5, reply.received_at, 200)
    assert [(note.path, note.outcome) for note in journal.notes] == [("/a.txt", "ok")]


def test_a_folder_is_listed_by_names_without_hidden_ones(folder):
    assert get(folder, "/").body == b"a.txt\nsub/b.txt"
    assert get(folder, "/sub/").body == b"b.txt"


@pytest.mark.parametrize("path", ["/../secret.txt", "/sub/../../secret.txt", "/../my recordings/../secret.txt"])
def test_no_path_leads_out_of_the_folder(folder, path):
    with pytest.raises(VendorRefused):
        get(folder, path)


def test_an_absolute_path_is_one_of_the_folder(folder):
    with pytest.raises(NotAtVendor):
        get(folder, "//etc/passwd")


def test_no_link_leads_out_of_the_folder_and_none_is_listed(folder):
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "out").symlink_to(folder.parent)
    for path in ("/link.txt", "/out/secret.txt", "/out/"):
        with pytest.raises(VendorRefused):
            get(folder, path)
    assert b"link" not in get(folder, "/").body
    assert b"secret" not in get(folder, "/").body


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(VendorRefused):
        get(folder, "/pipe")


@pytest.mark.parametrize(
    "content",
    [b"x" * 1_001, gzip.compress(b"x" * 1_001, mtime=0), bz2.compress(b"x" * 1_001), gzip.compress(b"0" * 10**7, mtime=0)],
)
def test_files_beyond_the_cap_are_refused_packed_or_not(folder, content):
    (folder / "big").write_bytes(content)
    with pytest.raises(BadAnswer, match="larger than 1000 bytes"):
        get(folder, "/big")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_packed_files_are_unpacked_up_to_the_cap(folder, pack):
    (folder / "packed").write_bytes(pack(b"y" * SIZE_MAX))
    assert get(folder, "/packed").body == b"y" * SIZE_MAX


@pytest.mark.parametrize(
    "content", [gzip.compress(b"hello", mtime=0)[:-3], b"\x1f\x8bno", b"BZhno", gzip.compress(b"a", mtime=0)[:10]]
)
def test_a_damaged_package_is_not_believed(content):
    with pytest.raises(BadAnswer, match="cannot be unpacked"):
        unpack(content, size_max=SIZE_MAX)


def test_two_packages_in_one_file_are_both_unpacked():
    assert unpack(gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), size_max=SIZE_MAX) == b"ab"


@pytest.mark.parametrize(
    ("path", "error"), [("/none.txt", NotAtVendor), ("/sub", VendorRefused), ("/a.txt/", VendorRefused), ("/\x00", VendorAway)]
)
def test_what_is_not_there_is_named_and_noted(folder, path, error):
    journal = Journal(operation="test")
    with pytest.raises(error):
        get(folder, path, journal)
    assert (journal.calls, journal.error_code) == (1, error.code)
    assert [note.outcome for note in journal.notes] == [error.code]


def test_a_folder_that_is_not_there_may_come(tmp_path):
    with pytest.raises(VendorAway):
        get(tmp_path / "later", "/")


def test_a_folder_takes_no_questions(folder):
    caller = FileCaller(base_url=folder.as_uri(), slug="files", size_max=SIZE_MAX, journal=Journal(operation="test"))
    with pytest.raises(DeskError):
        asyncio.run(caller.post("/a.txt", {}))


def test_only_addresses_of_files_are_folders():
    assert is_folder("file:///recordings")
    assert not is_folder("https://example.org/file")
    assert not is_folder("")
