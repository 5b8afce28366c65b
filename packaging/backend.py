"""The build of the Python package for `pip install .`: maturin's, with what lies beside the command laid out first.

pip calls the functions of this module (PEP 517), in an environment that holds what `requires` in pyproject.toml names. A
Rust toolchain must be there. `pip install --config-settings profile=dev .` builds in another profile than `release`.
"""

import os
import subprocess

import maturin
from maturin import get_requires_for_build_sdist, get_requires_for_build_wheel  # noqa: F401  (pip looks for them here)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Builds the wheel into `wheel_directory`; its file name."""
    profile = (config_settings or {}).get("profile", "release")
    subprocess.run(["packaging/data", profile], check=True)
    # In the directory of the other builds, so that nothing is compiled twice.
    os.environ["CARGO_TARGET_DIR"] = "target"
    arguments = {"build-args": f"--locked --profile {profile}"}
    return maturin.build_wheel(wheel_directory, arguments, metadata_directory)
