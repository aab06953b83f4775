"""Files that are whole, or not there at all."""

import contextlib
import errno
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def is_single_local_file(filepath: Any, suffix: str) -> bool:
    """Whether a path is one that Keras has no special ways with (in a cloud, or in shards)."""
    return str(filepath).endswith(suffix) and "://" not in str(filepath)


def write(
    filepath: Any, suffix: str, writer: Callable[[pathlib.Path], None], variables: Sequence[Any]
) -> None:
    """Writes a file beside its place, and puts it there once it is whole.

    Args:
      filepath: where the file shall be, ending in `suffix`.
      suffix: how drafts must end, too.
      writer: writes to a path.
      variables: those that it writes.

    Raises:
      OSError: the file cannot be written. What was there before is as it was.
    """
    path = pathlib.Path(filepath)
    draft = path.with_name(f".{path.name.removesuffix(suffix)}.{os.getpid()}{suffix}")
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError("there is no such folder")
        _reserve(draft, variables)
        writer(draft)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
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
