"""What the README shows runs as it stands: the Python examples, and the lines that are typed."""

from __future__ import annotations

import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TYPED = [re.findall(r"^\$ (.*)", block, re.MULTILINE) for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)]
(DAEMON,), BESIDE_IT = next((block, TYPED[number + 1]) for number, block in enumerate(TYPED) if "daemon" in block[0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh clone, as far as the examples go."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def daemon(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The daemon of the README, from its first word to its end."""
    with subprocess.Popen(command(DAEMON), cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], 60)[0]
            assert process.stdout.readline().startswith("1 file, 1 DAG on flowlet.db; next due ")
            yield process
        finally:
            process.kill()


def command(line: str) -> list[str]:
    """`flowlet run ...` with this Python."""
    name, *words = shlex.split(line)
    assert name == "flowlet"
    return [sys.executable, "-m", "flowlet", *words]


def typed(line: str, folder: Path) -> str:
    """What a line prints, which must succeed."""
    done = subprocess.run(command(line), cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKS[number]], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "success" in done.stdout


def test_the_first_command_shows_the_report_of_the_etl(folder: Path) -> None:
    line = TYPED[0][0].rpartition(" && ")[2]
    assert line == "flowlet run examples/weather.py"
    assert "12 months loaded, 0 rows rejected" in typed(line, folder)


def test_the_daemon_runs_and_the_lines_for_another_terminal_work_beside_it(
    daemon: subprocess.Popen[str], folder: Path
) -> None:
    said = {" ".join(line.split()[1:3]): typed(line, folder) for line in BESIDE_IT}
    assert said["trigger example_dag"].endswith(" of example_dag is running\n")
    assert "list_files" in said["runs show"]
    assert f"process {daemon.pid} on " in said["doctor"]
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0


def test_the_same_lines_work_while_no_scheduler_runs(daemon: subprocess.Popen[str], folder: Path) -> None:
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0
    for line in BESIDE_IT:
        typed(line, folder)


def test_the_readme_has_its_examples() -> None:
    assert (len(BLOCKS), len(BESIDE_IT)) == (2, 16)
