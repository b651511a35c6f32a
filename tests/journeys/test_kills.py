"""The promise under kill -9. The same program as the long run of bench/, with fewer kills."""

import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).resolve().parents[2] / "bench" / "kill.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the killer finds the server's processes in /proc")
def test_nothing_is_lost_doubled_or_stuck_when_processes_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, KILL, "--kills", "25", "--instances", "150", "--minutes", "4", "--folder", tmp_path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
