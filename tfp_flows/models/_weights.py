"""Weights files that are whole, or not there at all."""

import hashlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from tfp_flows.models import _files
from tfp_flows.models.snapshot import Snapshot

_SUFFIX = ".weights.h5"
_DIGEST = "tfp_flows_sha256"


def write(filepath: Any, writer: Callable[[str], None], variables: Sequence[Any]) -> None:
    """Writes a file beside its place, and puts it there once it is whole.

    Args:
      filepath: where the file shall be. One that Keras has special ways with (in a cloud, or in
        several shards) is left to it.
      writer: writes to a path.
      variables: those that it writes.

    Raises:
      OSError: the file cannot be written. What was there before is as it was.
    """
    if not _files.is_single_local_file(filepath, _SUFFIX):
        writer(filepath)
        return

    def write_and_seal(draft: pathlib.Path) -> None:
        writer(str(draft))
        _seal(draft)

    _files.write(filepath, _SUFFIX, write_and_seal, variables)


def read(filepath: Any, reader: Callable[[Any], None], variables: Sequence[Any]) -> None:
    """Reads a file into variables, all of them or none.

    Args:
      filepath: the file.
      reader: reads from a path into the variables.
      variables: those that `reader` may change.

    Raises:
      OSError: the file is missing, truncated, or not as it was written.
      ValueError: the file holds other variables than these.
    """
    if _files.is_single_local_file(filepath, _SUFFIX):
        _check(pathlib.Path(filepath))
    before = Snapshot(variables)
    try:
        reader(filepath)
    except Exception as error:
        before.restore()
        if isinstance(error, (ValueError, KeyError)):
            raise ValueError(
                f"Argument `filepath`: expected the weights of such a model, received {filepath}, "
                f"which holds others; the model is as it was. {error}"
            ) from error
        raise


def _seal(path: pathlib.Path) -> None:
    """Adds a digest of the contents."""
    with h5py.File(path, "r+") as file:
        file.attrs[_DIGEST] = _digest(file)


def _check(path: pathlib.Path) -> None:
    def complaint(reason):
        return (
            "Argument `filepath`: expected a weights file that is as it was written, received "
            f"{path}: {reason}."
        )

    if not path.is_file():
        raise FileNotFoundError(complaint("there is no such file"))
    try:
        with h5py.File(path, "r") as file:
            # Keras's own files have none.
            sealed = file.attrs.get(_DIGEST)
            is_intact = sealed is None or sealed == _digest(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise OSError(complaint(f"it is truncated, damaged or no HDF5 ({error})")) from error
    if not is_intact:
        raise OSError(complaint("its contents have changed since"))


def _digest(file: h5py.File) -> str:
    """SHA-256 of all names, shapes, dtypes and values."""
    digest = hashlib.sha256()
    for name, dataset in sorted(_datasets(file)):
        digest.update(f"{name} {dataset.shape} {dataset.dtype}\n".encode())
        digest.update(np.ascontiguousarray(dataset[()]).tobytes())
    return digest.hexdigest()


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    found = []
    file.visititems(lambda name, item: found.append((name, item)))
    return ((name, item) for name, item in found if isinstance(item, h5py.Dataset))
