"""For every test: a quiet TensorFlow, one seed, and no trace outside of the test's folder."""

import gc
import os
import tempfile

import pytest

from examples.common import silence

# Read once, when the libraries are imported; so they are set before that.
_DATA = tempfile.TemporaryDirectory(prefix="tfp_flows_tests_")
os.environ.update(
    KERAS_BACKEND="tensorflow",
    MPLBACKEND="Agg",  # pictures are drawn, not shown
    TFDS_DATA_DIR=_DATA.name,  # where TFDS prepares a data set that names no folder
    TF_FORCE_GPU_ALLOW_GROWTH="true",  # the workers of pytest-xdist share a GPU
)
with silence():
    import keras

    import tfp_flows  # noqa: F401 (all of the libraries, before the next line)

# The million objects of the libraries are not searched for garbage again and again.
gc.freeze()


@pytest.fixture(autouse=True)
def _seed():
    """Seeds Python, NumPy, TensorFlow and Keras before each test."""
    keras.utils.set_random_seed(0)
