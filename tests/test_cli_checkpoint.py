"""`tessera checkpoint add`: the same services from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import torch

from tests.models.foreign.files import saved
from tests.models.foreign.networks import CifarNet

ROOT = Path(__file__).resolve().parents[1]


def test_a_file_is_told_about_and_registered(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = saved(tmp_path / "resnet8.pth", {"model": CifarNet(depth=1).state_dict()})
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "checkpoint",
        "add",
        str(path),
        "--workspace",
        str(tmp_path / "ws"),
        "--json",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["slug"], told["created"], told["architecture"]) == ("resnet8", True, "ResNet-8 for CIFAR")
