import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..processes import Stat, living, parse_stat
from ..runtime import ROOT
from ..supervisor import leave_proxy_out

SUPERVISED = """\
import sys
from devtools.supervisor import supervise
sys.exit(supervise(sys.executable, "tests.sleeper", sys.argv[1:], {"cache": sys.argv[1] + ".d"}))
"""


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "It did not happen within a minute."
        time.sleep(0.05)


def alive(pid):
    return int(pid) in {process.pid for process in living()}


@pytest.fixture
def command(tmp_path):
    """Give a supervisor, its command's pid, the pid of an orphan below, and the run folder."""
    facts = tmp_path / "facts"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, str(facts)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(facts.exists)
    pid, orphan, folder = facts.read_text().split()
    assert alive(pid) and alive(orphan)
    yield supervisor, int(pid), int(orphan), Path(folder)
    supervisor.kill()
    supervisor.wait()
    for left in (int(pid), int(orphan)):
        if alive(left):
            os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_nothing_is_left_when_it_is_interrupted(command, number, code):
    supervisor, pid, orphan, folder = command
    supervisor.send_signal(number)
    assert supervisor.wait(60) == code
    assert not alive(pid) and not alive(orphan) and not folder.exists()


def test_nothing_is_left_when_the_command_is_killed(command):
    supervisor, pid, orphan, folder = command
    os.kill(pid, signal.SIGKILL)
    assert supervisor.wait(60) == 128 + signal.SIGKILL
    assert not alive(orphan) and not folder.exists()


def test_nothing_is_left_when_the_supervisor_is_killed(command):
    supervisor, pid, orphan, folder = command
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not alive(pid) and not alive(orphan) and not folder.exists())


def test_program_names_may_look_like_fields():
    assert parse_stat("7 (a) b (c) S 3 4 5") == Stat(7, "S", 3, 4)


@pytest.mark.parametrize(
    ("said", "hosts"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "intranet.example.com"}, "intranet.example.com,127.0.0.1,localhost"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "b,127.0.0.1,localhost"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_hosts_that_are_reached_without_a_proxy_stay_so(said, hosts):
    assert leave_proxy_out(said) == hosts
