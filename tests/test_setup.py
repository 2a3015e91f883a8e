"""The set-up of the Makefile, run with stand-ins for uname, nvidia-smi and Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


class Machine:
    """A pretended machine: what it is, and what its pip was told."""

    def __init__(self, folder: Path, root: Path, *, system: str, gpu: bool) -> None:
        self.root, self.folder = root, folder
        self.project = folder / "project"
        self.project.mkdir()
        for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
            shutil.copy(root / name, self.project)
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.log = folder / "log"
        self.log.touch()
        self.stand_in("uname", f"echo {system}")
        self.stand_in("nvidia-smi", f"exit {int(not gpu)}")
        python = f'echo "$@" >> {self.log}'
        # `python -m venv .venv` makes a folder whose Python writes down what it is asked.
        venv = f"mkdir -p .venv/bin; cp {self.commands}/logged .venv/bin/python"
        self.stand_in("logged", python)
        self.stand_in("python3", f'case "$*" in *venv*) {venv};; esac')

    def stand_in(self, name: str, script: str) -> None:
        path = self.commands / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        return subprocess.run(
            ["make", *arguments],
            cwd=self.project,
            env=kept | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return [
            line.removeprefix("-m pip install --disable-pip-version-check --no-compile ")
            for line in lines
        ]


@pytest.mark.parametrize(("system", "gpu"), [("Linux", True), ("Darwin", False)])
def test_a_gpu_or_a_mac_gets_the_default_build(
    tmp_path: Path, root: Path, system: str, gpu: bool
) -> None:
    machine = Machine(tmp_path, root, system=system, gpu=gpu)
    assert machine.make("setup").returncode == 0
    assert machine.asked() == ["-r requirements.txt"]


def test_a_linux_machine_without_gpu_gets_the_cpu_build_first(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=False)
    assert machine.make("setup").returncode == 0
    torch, rest = machine.asked()
    assert "--no-deps" in torch
    assert "https://download.pytorch.org/whl/cpu" in torch
    assert torch.endswith("+cpu")
    assert rest == "-r requirements.txt"


def test_the_choice_can_be_overruled(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=False)
    assert machine.make("setup", "DEVICE=gpu").returncode == 0
    assert machine.asked() == ["-r requirements.txt"]


def test_an_unreachable_cpu_build_stops_with_the_remedy(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=False)
    machine.stand_in("logged", f'echo "$@" >> {machine.log}; case "$*" in *+cpu*) exit 1;; esac')
    done = machine.make("setup")
    assert done.returncode != 0
    assert "make run DEVICE=gpu" in done.stdout
    assert len(machine.asked()) == 1, "gigabytes of CUDA must not follow"
    assert machine.make("setup", "DEVICE=gpu").returncode == 0


def test_nothing_is_installed_twice(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=True)
    assert machine.make("run").returncode == 0
    assert machine.asked() == ["-r requirements.txt", "app.py"]
    assert machine.make("run", "ARGS=--port 1").returncode == 0
    assert machine.asked() == ["app.py --port 1"]
    assert machine.make("test").returncode == 0
    installed, tested = machine.asked()
    assert installed == "-r requirements-dev.txt"
    assert tested.startswith("-m pytest ")
    requirements = machine.project / "requirements.txt"
    stamp = (machine.project / ".venv/installed-dev").stat().st_mtime_ns
    os.utime(requirements, ns=(stamp + 10**9, stamp + 10**9))
    assert machine.make("setup").returncode == 0
    assert machine.asked() == ["-r requirements.txt"]


def test_without_a_suitable_python_the_message_says_which(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=False)
    done = machine.make("setup", "PYTHON=")
    assert done.returncode != 0
    assert "Python 3.11 or 3.12 is needed" in done.stdout


def test_without_the_venv_package_the_message_names_it(tmp_path: Path, root: Path) -> None:
    machine = Machine(tmp_path, root, system="Linux", gpu=False)
    machine.stand_in("python3", 'case "$*" in *venv*) mkdir .venv; exit 1;; esac')
    done = machine.make("setup")
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stdout
    assert not (machine.project / ".venv").exists()


def test_the_cpu_build_satisfies_the_requirements(root: Path) -> None:
    cpu = re.search(r"TORCH_CPU := torch==(\S+)", (root / "Makefile").read_text())
    torch = re.search(r"^torch\S+", (root / "requirements.txt").read_text(), re.MULTILINE)
    assert cpu
    assert torch
    assert Version(cpu[1]) in Requirement(torch[0]).specifier
