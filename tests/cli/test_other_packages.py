"""Commands that other packages bring, where they are installed."""

import subprocess
import sys

_PROGRAM = "import sys; {before}; sys.argv = ['ragdeploy', '--help']; " + (
    "from ragdeploy_service.cli.main import main; main()"
)


def listed(before):
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(before=before)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return {line.split()[1] for line in ran.stdout.splitlines() if line.startswith("│ ")}


def test_the_operators_package_brings_plan():
    assert {"serve", "plan"} <= listed("pass")


def test_the_service_alone_works_without_it():
    """As in its image."""
    found = listed("sys.modules['ragdeploy_operator'] = None")
    assert "serve" in found
    assert "plan" not in found
