"""The embedded PostgreSQL: as root and as an ordinary user, after crashes, in awkward places."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from apps.backups.embedded import EmbeddedError, EmbeddedPostgres, find_tools, free_port, scratch_server
from apps.backups.server_home import POINTER_NAME, SYSTEM_ROOT, UNPRIVILEGED_ID, choose_home
from project.local.folder import is_alive

ROOT = Path(__file__).resolve().parent.parent.parent.parent
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another identity")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="only an ordinary user keeps its own identity")


@pytest.fixture
def folder():
    """A folder that PostgreSQL's identity can reach, unlike pytest's own 0700 ones."""
    path = Path(tempfile.mkdtemp(prefix="bw-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder):
    made = EmbeddedPostgres(folder / "postgres", scratch=True)
    made.start()
    yield made
    made.destroy()


def ask(server, question):
    with psycopg.connect(server.dsn, connect_timeout=5) as connection:
        ((answer,),) = connection.execute(question)
        return answer


def process_of(server):
    assert server.process is not None
    return server.process


def modes_of(*folders):
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in folders}


def test_it_answers_with_our_settings_and_sorts_text_the_same_everywhere(server):
    assert ask(server, "SELECT current_database() || ' ' || current_user") == "bellwether bellwether"
    assert ask(server, "SELECT upper('é') || current_setting('timezone') || current_setting('max_connections')") == "ÉUTC120"


def test_it_listens_on_a_socket_only(server):
    assert server.port is None
    assert ask(server, "SELECT current_setting('listen_addresses')") == ""
    assert ask(server, "SELECT inet_server_addr() IS NULL")


def test_with_a_port_it_listens_on_loopback_only(folder):
    server = EmbeddedPostgres(folder / "postgres", port=free_port(), scratch=True)
    server.start()
    try:
        assert ask(server, "SELECT current_setting('listen_addresses')") == "127.0.0.1"
        assert f"@127.0.0.1:{server.port}/" in server.dsn
        assert ask(server, "SELECT host(inet_server_addr())") == "127.0.0.1"
    finally:
        server.destroy()


def test_a_wrong_password_is_refused(server):
    password = (server.home / "password").read_text().strip()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn.replace(password, "guess"))


def test_the_password_is_private_and_on_no_command_line(server):
    file = server.home / "password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) >= 40
    assert not any(file.read_text().strip() in word for word in server.command())
    assert sorted(path.name for path in server.home.iterdir()) == ["data", "password", "server.log", "socket"]


@as_root
def test_as_root_only_postgres_runs_as_another_identity_and_owns_only_its_data(folder):
    watched = (folder, folder.parent, Path(sys.executable).parent, ROOT, find_tools("postgres").parent)
    before = modes_of(*watched)
    server = EmbeddedPostgres(folder / "postgres", scratch=True)
    server.start()
    try:
        status = Path(f"/proc/{process_of(server).pid}/status").read_text()
        ids = {line.split(":")[0]: line.split()[1:] for line in status.splitlines() if line.startswith(("Uid", "Gid", "Groups"))}
        assert ids == {"Uid": ["65534"] * 4, "Gid": ["65534"] * 4, "Groups": []}
        assert server.data.stat().st_uid == UNPRIVILEGED_ID
        assert server.home.stat().st_uid == 0
        assert (os.geteuid(), os.getegid()) == (0, 0)
    finally:
        server.destroy()
    assert modes_of(*watched) == before


@as_root
def test_a_folder_that_postgres_cannot_reach_is_replaced_by_one_of_ours_and_says_so(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = modes_of(closed, tmp_path)
    server = EmbeddedPostgres(closed / "postgres", scratch=True)
    server.start()
    try:
        assert ask(server, "SELECT 1") == 1
        assert server.home.parent == SYSTEM_ROOT
        assert stat.S_IMODE(SYSTEM_ROOT.stat().st_mode) == 0o711
        assert str(server.home) in (closed / "postgres" / POINTER_NAME).read_text()
        again = EmbeddedPostgres(closed / "postgres", scratch=True)
        assert (again.home, again.dsn) == (server.home, server.dsn)
    finally:
        home = server.home
        server.destroy()
    assert not home.exists()
    assert modes_of(closed, tmp_path) == before


@as_root
def test_who_deletes_the_folder_and_starts_afresh_gets_an_empty_database(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    first = EmbeddedPostgres(closed / "postgres", scratch=True)
    first.init()
    old_home, old_address = first.home, first.dsn
    shutil.rmtree(closed / "postgres")
    second = EmbeddedPostgres(closed / "postgres", scratch=True)
    second.init()
    try:
        assert second.home != old_home
        assert second.dsn != old_address
    finally:
        second.destroy()
        shutil.rmtree(old_home)


@as_root
def test_data_that_became_unreachable_is_an_error_and_not_an_empty_database(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o711)
    server = EmbeddedPostgres(closed / "postgres", scratch=True)
    server.init()
    closed.chmod(0o700)
    with pytest.raises(EmbeddedError, match="cannot be reached by uid 65534"):
        choose_home(closed / "postgres")
    closed.chmod(0o711)
    server.destroy()


@as_root
def test_programs_that_postgres_cannot_read_are_copied_to_a_place_of_ours(tmp_path, folder, monkeypatch):
    hidden = tmp_path / "hidden"
    shutil.copytree(find_tools("initdb").parent.parent, hidden)
    hidden.chmod(0o700)
    monkeypatch.setenv("PG_BIN_DIR", str(hidden / "bin"))
    server = EmbeddedPostgres(folder / "postgres", scratch=True)
    server.start()
    program = Path(server.command()[0])
    server.destroy()
    assert program.is_relative_to(SYSTEM_ROOT)
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700
    shutil.rmtree(program.parent.parent)


@as_user
def test_an_ordinary_user_keeps_everything_in_the_folder(server, folder):
    assert server.home == folder / "postgres"
    assert Path(f"/proc/{process_of(server).pid}").stat().st_uid == os.geteuid()


@as_root
def test_an_ordinary_user_can_run_it_too(folder):
    python = next((name for name in (sys.executable, "/usr/bin/python3") if runs_as_nobody(name)), None)
    if python is None:
        pytest.skip("no Python 3.11 here that an ordinary user may run")
    own = folder / "own"
    own.mkdir()
    os.chown(own, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    program = (
        "import os, sys; from pathlib import Path; from apps.backups.embedded import EmbeddedPostgres\n"
        "s = EmbeddedPostgres(Path(sys.argv[1]), scratch=True); s.start(); print(os.geteuid(), s.home, s.is_ready()); s.destroy()"
    )
    done = run_as_nobody([python, "-c", program, str(own / "postgres")])
    assert done.stdout.split() == [str(UNPRIVILEGED_ID), str(own / "postgres"), "True"], done.stderr


def runs_as_nobody(python):
    try:
        return (
            run_as_nobody([python, "-c", "import sys, apps.backups.embedded; sys.exit(sys.version_info < (3, 11))"]).returncode
            == 0
        )
    except OSError:
        return False


def run_as_nobody(command):
    packages = find_tools("initdb").parents[3]
    return subprocess.run(
        command,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{packages}"},
        user=UNPRIVILEGED_ID,
        group=UNPRIVILEGED_ID,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_path_too_long_for_a_socket_falls_back_to_loopback(folder):
    deep = folder / ("x" * 90)
    server = EmbeddedPostgres(deep / "postgres", scratch=True)
    server.start()
    try:
        assert server.port is not None
        assert ask(server, "SELECT 1") == 1
    finally:
        server.destroy()


def test_data_survives_a_stop_and_a_start(server):
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    server.start()
    assert ask(server, "SELECT answer FROM kept") == 42


def test_after_a_kill_stale_files_are_cleaned_and_the_server_starts(server):
    process_of(server).kill()
    process_of(server).wait()
    assert (server.data / "postmaster.pid").exists()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_pid_file_that_names_a_stranger_stops_nobody(server):
    server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n0\n5432\n\n\n\nready\n")
    server.start()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_server_that_outlived_its_supervisor_is_stopped_before_a_new_one_starts(server):
    survivor, server.process = server.process, None
    again = EmbeddedPostgres(server.directory, scratch=True)
    again.start()
    try:
        assert survivor.wait(timeout=10) == 0
        assert process_of(again).pid != survivor.pid
        assert ask(again, "SELECT 1") == 1
    finally:
        again.stop()


def test_an_interrupted_initdb_is_done_again(folder):
    server = EmbeddedPostgres(folder / "postgres", scratch=True)
    server.init()
    (server.data / "PG_VERSION").unlink()
    server.start()
    assert ask(server, "SELECT 1") == 1
    server.destroy()


def test_a_taken_port_is_one_line_that_says_so(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = EmbeddedPostgres(folder / "postgres", port=other.getsockname()[1], scratch=True)
        with pytest.raises(EmbeddedError, match="did not start") as refusal:
            server.start()
        assert len(str(refusal.value).splitlines()) == 1
        assert server.process is None
        server.destroy()


def test_a_scratch_server_leaves_nothing(server):
    with scratch_server() as scratch:
        process, home, directory = process_of(scratch), scratch.home, scratch.directory
        assert ask(scratch, "SELECT current_setting('fsync')") == "off"
        assert scratch.dsn != server.dsn
    assert not is_alive(process.pid)
    assert (home.exists(), directory.exists()) == (False, False)


def test_a_scratch_server_leaves_nothing_after_an_error_either():
    kept = []

    def restore_and_fail():
        with scratch_server() as scratch:
            kept.append((process_of(scratch), scratch.directory))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        restore_and_fail()
    ((process, directory),) = kept
    assert not is_alive(process.pid)
    assert not directory.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_a_server_ends_when_the_process_that_started_it_is_killed(folder):
    program = (
        "import sys, time; from pathlib import Path; from apps.backups.embedded import EmbeddedPostgres\n"
        "s = EmbeddedPostgres(Path(sys.argv[1]), scratch=True); s.start(); print(s.process.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "postgres")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert is_alive(pid)
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)
