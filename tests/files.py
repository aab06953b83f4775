"""What every file that a model writes must stand."""

import pathlib

import pytest


def assert_failed_write_leaves(path, write, monkeypatch):
    """A write that fails at its very end leaves the file as it was, and nothing beside it.

    Args:
      path: a file that is alone in its folder.
      write: writes another one to the same place.
      monkeypatch: of pytest.
    """
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", fail)
    with pytest.raises(OSError, match=r"Argument `filepath`.*No space left.*as it was"):
        write(path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1
