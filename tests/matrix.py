"""Tries the package on every supported Python, with the oldest and the newest TensorFlow there.

    python -m tests.matrix [--python python3.10 python3.13] [--write CONTRIBUTING.md]

For each pair, a fresh environment outside of the checkout: the wheel is installed there with its
dependencies, imported, runs the README's first block, and passes the quick tests: the contract of
some transforms, variables and their adoption, weights files, what stops training. The oldest
TensorFlow comes with the oldest Keras. It takes some minutes and 2 GB for each pair; environments
are removed as soon as they are done. The exit status is 1 if something failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import wheel

PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")
OLDEST = {"3.10": "2.18.0", "3.11": "2.18.0", "3.12": "2.18.0", "3.13": "2.20.0"}
OLDEST_KERAS = {"2.18.0": "3.5.0", "2.20.0": "3.10.0"}  # as those versions of TensorFlow ask for
TOOLS = ("pytest>=8.0", "hypothesis>=6.100", "matplotlib>=3.8")
TESTS = (
    "tests/test_variables.py",
    "tests/test_weights.py",
    "tests/test_guard.py",
    "tests/test_contract.py",
)
SELECTED = "not test_contract or planar or coupling_affine or spline"
VERSIONS = """
import platform, sys
import keras, numpy, tensorflow as tf, tensorflow_probability as tfp
import tfp_flows
print(platform.python_version(), tf.__version__, keras.__version__, tfp.__version__,
      numpy.__version__)
"""
HEADER = ("Python", "TensorFlow", "Keras", "TFP", "NumPy", "README's block", "tests", "seconds")
_PLACE = re.compile(r"(<!-- matrix -->\n).*?(<!-- end of matrix -->)", re.S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", nargs="+", default=PYTHONS, help="interpreters")
    parser.add_argument("--write", type=Path, help="a page whose table is to be replaced")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tfp_flows_matrix_") as folder:
        built = wheel.build(Path(folder) / "dist")
        rows = [
            row(python, version, built, Path(folder) / "environment")
            for python in options.python
            for version in (OLDEST[minor(python)], None)
        ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEADER, ["---"] * len(HEADER), *rows)]
    table = "\n".join(lines) + "\n"
    print(table)
    if options.write:
        page = options.write.read_text()
        if not _PLACE.search(page):
            raise SystemExit(f"{options.write} has no place for the table")
        options.write.write_text(_PLACE.sub(lambda match: match[1] + table + match[2], page))
    sys.exit(any("failed" in cell for cells in rows for cell in cells))


def row(python: str, tensorflow: str | None, built: Path, folder: Path) -> list[str]:
    """Installs and tests one pair; `None` is for the newest TensorFlow."""
    start = time.perf_counter()
    print(f"{python}, TensorFlow {tensorflow or 'newest'}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
        own = folder / "venv" / "bin" / "python"
        pinned = []
        if tensorflow is not None:
            pinned = [f"tensorflow=={tensorflow}", f"keras=={OLDEST_KERAS[tensorflow]}"]
        pip = [own, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        # The pip of Python 3.10 finds no end to its search.
        subprocess.run([*pip, "pip>=25"], check=True)
        subprocess.run([*pip, built, *TOOLS, *pinned], check=True)
        versions = output([own, "-c", VERSIONS], folder).splitlines()[-1].split()
    except subprocess.CalledProcessError as error:
        print(error)
        return [minor(python), tensorflow or "newest", *["-"] * 3, "failed to install", "-", "-"]
    try:
        wheel.run_first_block(str(own), folder, {"PYTHONPATH": ""})
        block = "runs"
    except subprocess.CalledProcessError:
        block = "failed"
    tests = quick_tests(own, folder)
    shutil.rmtree(folder)
    print(*versions, block, tests, flush=True)
    return [*versions, block, tests, f"{time.perf_counter() - start:.0f}"]


def quick_tests(python: Path, folder: Path) -> str:
    """Runs the quick tests on a copy without the package; returns pytest's last line in short."""
    for name in ("tests", "examples"):  # the tests' own set-up is silent by a function of these
        shutil.copytree(wheel.ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(wheel.ROOT / "setup.cfg", folder)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, "-k", SELECTED]
    done = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        print(done.stdout[-5000:])
    last = done.stdout.strip().splitlines()[-1]
    return re.sub(r"( warnings?)? in .*", "", re.sub(r", \d+ (warnings?|deselected)", "", last))


def minor(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return output([python, "-c", code]).strip()


def output(command: list, folder: Path | None = None) -> str:
    return subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return own | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    main()
