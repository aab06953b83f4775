"""Builds the package, and runs the README's first block with what was built: no checkout in sight.

    python -m tests.wheel

The wheel goes into an empty folder, where it stands before the checkout that the interpreter may
have, and which is not the current folder's. The dependencies are those of the interpreter; fresh
ones are the business of `tests/matrix.py`.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.test_documentation import ROOT, blocks_of


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tfp_flows_wheel_") as folder:
        wheel = build(Path(folder) / "dist")
        site = Path(folder) / "site"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--target", site, wheel], check=True)
        run_first_block(sys.executable, Path(folder), {"PYTHONPATH": str(site)})
    print(f"{wheel.name}: built, installed, and the README's first block runs.")


def build(folder: Path) -> Path:
    """Builds the source archive and, from that, the wheel, which is returned."""
    command = [sys.executable, "-m", "build", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("tfp_flows/**/*.py")}
    if missing := (modules | {"tfp_flows/py.typed"}) - set(names):
        raise SystemExit(f"{wheel.name} lacks {sorted(missing)}")
    strangers = {name.split("/")[0] for name in names if ".dist-info/" not in name} - {"tfp_flows"}
    if strangers or not any(name.endswith("LICENSE") for name in names):
        raise SystemExit(f"{wheel.name} holds {strangers or 'no LICENSE'}")
    print(f"{archive.name} and {wheel.name}, {len(names)} files")
    return wheel


def run_first_block(python: str, folder: Path, environment: dict[str, str]) -> None:
    """Runs the README's first Python block in a folder, with the package that is found from there.

    Raises:
      SystemExit: the package comes from elsewhere.
      CalledProcessError: the block fails.
    """
    page = ROOT / "README.md"
    blocks = blocks_of(page.read_text(encoding="utf-8"), page)
    code = next(block.code for block in blocks if block.language == "python")
    where = "import tfp_flows; print(tfp_flows.__file__)"
    settings = {"cwd": folder, "env": os.environ | environment | {"TF_CPP_MIN_LOG_LEVEL": "3"}}
    found = subprocess.run(
        [python, "-c", where], **settings, check=True, stdout=subprocess.PIPE, text=True
    )
    package = Path(found.stdout.strip().splitlines()[-1])
    if not package.is_relative_to(folder):
        raise SystemExit(f"tfp_flows was found in {package}, not below {folder}")
    subprocess.run([python, "-c", code], **settings, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
