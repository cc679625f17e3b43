"""`./dive bench`."""

import subprocess
import sys

from dive_infra.config import paths


def test_the_benchmark_needs_nothing_but_what_a_deployment_needs() -> None:
    code = "import sys; sys.modules['pytest'] = None; import tests.bench.__main__"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)
