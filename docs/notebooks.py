"""Executes the notebooks in place: their outputs are stored with them, and shown on the site.

python docs/notebooks.py [NAME ...]
"""

import pathlib
import sys
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).resolve().parent / "notebooks"
MAX_BYTES = 300_000
_QUIET = "import os\nos.environ.update(TF_CPP_MIN_LOG_LEVEL='3', KERAS_BACKEND='tensorflow')"


def names() -> list[str]:
    """All notebooks, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def start_kernel(folder: pathlib.Path) -> KernelManager:
    """One kernel for several notebooks: TensorFlow is imported once.

    Args:
      folder: where it runs.
    """
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder))
    try:
        run(manager, nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_QUIET)]))
    except BaseException:
        manager.shutdown_kernel(now=True)
        raise
    return manager


def run(manager: KernelManager, notebook: Any) -> Any:
    """Executes a notebook in a kernel whose variables are forgotten first; outputs are replaced.

    Raises:
      nbclient.exceptions.CellExecutionError: a cell failed.
    """
    forget = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%reset -f")])
    for cells in (forget, notebook):
        NotebookClient(cells, km=manager, timeout=600).execute(reset_kc=True)
    return notebook


def cleaned(notebook: Any) -> Any:
    """Without what differs from run to run, and is not shown."""
    count = 0
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count
    return notebook


def main() -> None:
    manager = start_kernel(FOLDER)
    try:
        for name in sys.argv[1:] or names():
            path = FOLDER / f"{name}.ipynb"
            notebook = cleaned(run(manager, nbformat.read(path, as_version=4)))
            nbformat.write(notebook, path)
            print(f"{name}: {path.stat().st_size:,} bytes")
            if path.stat().st_size > MAX_BYTES:
                sys.exit(f"{path} is larger than {MAX_BYTES:,} bytes.")
    finally:
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
