"""Data to fit flows to: TFDS image sets, embedded digits, point sets and energies of the plane."""

from tfp_flows.datasets.digits import BinarizedDigits, Digits
from tfp_flows.datasets.energies import energy
from tfp_flows.datasets.loading import load
from tfp_flows.datasets.point_sets import toy

__all__ = ["BinarizedDigits", "Digits", "energy", "load", "toy"]
