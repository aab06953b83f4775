"""Preparing a TFDS data set on disk, whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

# Seconds to connect to the server of a download, and to wait for its first byte.
_TIMEOUT = (5.0, 10.0)
# Every prepared TFDS data set has this file.
_INFO_FILE = "dataset_info.json"


def prepared_builder(
    name: str, data_dir: str | os.PathLike[str] | None
) -> tfds.core.DatasetBuilder:
    """Returns the TFDS builder of `name`, after preparing its files if they are missing.

    The files appear under their final name in one step, when they are complete. A preparation
    that fails removes all that it wrote; one that is killed leaves folders whose names start with
    `incomplete`, which nothing reads. Several processes may prepare the same data set at the same
    time: the first to finish wins.

    Args:
      name: name of the data set.
      data_dir: root folder of the prepared data sets; None for TFDS's own default.

    Returns:
      The builder, prepared.

    Raises:
      TypeError: if `data_dir` is neither None, a string nor a path.
      ValueError: if the data set is not prepared and `data_dir` cannot be written to.
      ConnectionError: if files are missing and cannot be downloaded.
    """
    builder = tfds.builder(name, data_dir=_expand(data_dir))
    if _is_prepared(builder):
        return builder
    if builder.data_path.exists():
        # TFDS would take such a folder, say a copy that was cut short, for a prepared data set.
        raise ValueError(
            f"data_dir: expected a whole data set or none in {builder.data_dir}; received a folder "
            f"without {_INFO_FILE}: remove it to prepare {name!r} again"
        )
    root = os.fspath(builder.data_dir_root)
    if "://" in root:
        raise ValueError(
            f"data_dir: expected a local folder, or one where {name!r} is prepared already; "
            f"received {root!r}"
        )
    root = Path(root)
    manual_dir = root / "downloads" / "manual"
    with _scratch_folder(root, name) as scratch:
        _check_downloads(builder, manual_dir)
        # Downloads are of no use once the data set is prepared, and half of one never is: they go
        # to the scratch folder. Files that the user put into `manual_dir` are read, and stay.
        config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
        try:
            builder.download_and_prepare(download_dir=scratch, download_config=config)
        except Exception as error:
            if _is_prepared(builder):
                return tfds.builder(name, data_dir=root)  # Another process was faster.
            if _is_download_failure(error):
                raise ConnectionError(_missing_files(builder, manual_dir, error)) from error
            raise
    return builder


def _is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    return (builder.data_path / _INFO_FILE).exists()


def _expand(data_dir: str | os.PathLike[str] | None) -> str | None:
    """Returns the absolute path of a local folder, and a URL as it is."""
    if data_dir is None:
        return None
    if not isinstance(data_dir, str | os.PathLike):
        raise TypeError(f"data_dir: expected a path or None; received {data_dir!r}")
    path = os.fspath(data_dir)
    if not path:
        raise ValueError(f"data_dir: expected a path or None; received {data_dir!r}")
    return path if "://" in path else str(Path(path).expanduser().absolute())


@contextlib.contextmanager
def _scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """Makes a folder below `root`, which shows that `root` can be written to, and removes it.

    Folders that had to be made on the way, and that of the data set, go as well if they are empty
    in the end.
    """
    made = [folder for folder in (root / name, root, *root.parents) if not os.path.lexists(folder)]
    try:
        try:
            root.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(
                prefix="incomplete_download_", dir=root, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise ValueError(
                f"data_dir: expected a folder that can be written to; received {str(root)!r} "
                f"({error})"
            ) from error
        with scratch as path:
            yield Path(path)
    finally:
        for folder in made:
            # An error means that the folder was never made or is in use.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _check_downloads(builder: tfds.core.DatasetBuilder, manual_dir: Path) -> None:
    """Raises `ConnectionError` if a download is needed and its server does not answer.

    TFDS tries eleven times, with pauses that add up to minutes and with no limit on one attempt:
    without a network it would seem to hang.
    """
    import requests  # TFDS depends on it; imported here, where it is needed.

    urls = [
        url
        for url, info in (builder.url_infos or {}).items()
        if not (manual_dir / info.filename).exists()
    ]
    if not urls:
        return
    try:
        with requests.get(urls[0], stream=True, timeout=_TIMEOUT) as response:
            response.raise_for_status()
    except requests.RequestException as error:
        raise ConnectionError(_missing_files(builder, manual_dir, error)) from error


def _is_download_failure(error: Exception) -> bool:
    """Whether TFDS failed because of the network, rather than because of the data or the disk."""
    import requests

    return isinstance(error, requests.RequestException | tfds.download.DownloadError)


def _missing_files(builder: tfds.core.DatasetBuilder, manual_dir: Path, error: Exception) -> str:
    """Says what failed, and which files in which folder take the place of a download."""
    names = sorted(info.filename for info in builder.url_infos.values())
    missing = [name for name in names if not (manual_dir / name).exists()]
    return (
        f"{builder.name!r} is not prepared in data_dir {str(builder.data_dir_root)!r}, and its "
        f"files could not be downloaded ({type(error).__name__}: {error}). Expected either a "
        f"network or the files {', '.join(names)} in the folder {manual_dir}; missing there: "
        f"{', '.join(missing)}. The data sets 'binarized_digits' and 'digits' need neither."
    )
