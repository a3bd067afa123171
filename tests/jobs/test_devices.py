"""Jobs on a device other than the CPU; no GPU is needed for that."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.torch
def test_training_scans_evaluations_and_answers_do_not_mind_the_device() -> None:
    walk = Path(__file__).with_name("device_walk.py")
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(walk)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:]
