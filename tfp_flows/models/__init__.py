"""Keras 3 models that train distributions, and the bridge by which Keras sees their variables."""

import keras

from tfp_flows.models.adoption import adopt_variables
from tfp_flows.models.callbacks import BetaAnnealing, EarlyStopping, PictureEvery
from tfp_flows.models.density import DensityModel
from tfp_flows.models.reverse_kl import ReverseKLModel
from tfp_flows.models.snapshot import Snapshot
from tfp_flows.models.vae import FlowVAE

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tfp_flows.models needs Keras with the backend 'tensorflow', but it runs on "
        f"'{keras.backend.backend()}'. Set the environment variable KERAS_BACKEND=tensorflow."
    )

__all__ = [
    "BetaAnnealing",
    "DensityModel",
    "EarlyStopping",
    "FlowVAE",
    "PictureEvery",
    "ReverseKLModel",
    "Snapshot",
    "adopt_variables",
]
