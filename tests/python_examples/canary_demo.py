"""The demonstration of canaries: what becomes of a good, a failing and a slow release, and whom it meets. Environment:

RHINOD      the server
VIRTUALENV  where the example's virtualenv is kept between runs
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from running_site import free_port

RUN = Path(__file__).resolve().parents[2] / "examples" / "canary" / "run.py"
SECONDS_MAX = 240
# Of a tenth, by the promise of docs/RELOADING.md's measurements.
PERCENT_MAX = 13.0


class CanaryDemo(unittest.TestCase):
    """One run, through nginx."""

    def test_each_release_ends_as_it_should(self) -> None:
        """`run.py` itself judges the outcomes; here it is whom the new code has met until then."""
        with tempfile.TemporaryDirectory(prefix="rhinod-canary-") as base:
            command = [sys.executable, str(RUN), "--server", os.environ["RHINOD"], "--base", base]
            command += ["--venv", os.environ["VIRTUALENV"], "--seconds", "2", "--port", str(free_port())]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
                said = process.communicate(timeout=SECONDS_MAX)[0]
        self.assertEqual(process.returncode, 0, said)
        for release, outcome in [("good", "took over"), ("failing", "was refused"), ("slow", "was refused")]:
            part = said.split(f"\n{release}: ")[1]
            self.assertIn(outcome, part.split("\n")[1], said)
            if outcome == "was refused":
                share = re.search(r"answers until then it gave \d+ \(([\d.]+) %\)", part)
                self.assertLessEqual(float(share.group(1)), PERCENT_MAX, said)
        self.assertIn("requests failed", said)
        self.assertIn("requests took longer than", said)


if __name__ == "__main__":
    unittest.main()
