"""Weights files that are whole, or not there at all."""

import contextlib
import errno
import hashlib
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

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
    if not _is_single_local_file(filepath):
        writer(filepath)
        return
    path = pathlib.Path(filepath)
    draft = path.with_name(f".{path.name.removesuffix(_SUFFIX)}.{os.getpid()}{_SUFFIX}")
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError("there is no such folder")
        _reserve(draft, variables)
        writer(str(draft))
        _seal(draft)
        draft.replace(path)
    # HDF5 raises the one or the other.
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"Argument `filepath`: expected a place that can be written, received {path}: {error}. "
            "What was there before is as it was."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


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
    if _is_single_local_file(filepath):
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


def _is_single_local_file(filepath: Any) -> bool:
    return str(filepath).endswith(_SUFFIX) and "://" not in str(filepath)


def _reserve(path: pathlib.Path, variables: Sequence[Any]) -> None:
    """Makes sure that there is room: HDF5 can neither write to a full disk nor close its file."""
    num_bytes = sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables)
    num_bytes += 4096 * (len(variables) + 16)  # names, shapes, groups
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(path.parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, num_bytes)


def _seal(path: pathlib.Path) -> None:
    """Adds a digest of the contents, and waits until all of it is on the disk."""
    with h5py.File(path, "r+") as file:
        file.attrs[_DIGEST] = _digest(file)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


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
