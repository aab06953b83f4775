"""What all examples need: a quiet TensorFlow, and a folder for their pictures."""

import argparse
import contextlib
import os
import pathlib
import tempfile


@contextlib.contextmanager
def silence():
    """Keeps TensorFlow's start-up noise off the screen.

    TensorFlow 2.18 to 2.21 logs a part of it before it reads its own environment variables, so
    standard error is closed to it for as long as it is imported.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    screen = os.dup(2)
    with pathlib.Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)


def output_folder(path: str) -> pathlib.Path:
    """Makes the folder that `--output` names; one that cannot be written to is refused at once."""
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"expected a folder that can be written to, received {path!r} ({error.strerror})"
        ) from error
    return folder
