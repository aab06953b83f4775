"""What flows are fitted to: image sets, point sets, energies, simulators, posteriors."""

from tfp_flows.datasets.digits import BinarizedDigits, Digits
from tfp_flows.datasets.energies import energy
from tfp_flows.datasets.hierarchical import EightSchools, funnel
from tfp_flows.datasets.loading import load
from tfp_flows.datasets.outliers import mutate, plain_images, spoiled
from tfp_flows.datasets.photographs import photographs
from tfp_flows.datasets.point_sets import toy
from tfp_flows.datasets.potentials import potential
from tfp_flows.datasets.simulators import simulator
from tfp_flows.datasets.toy_densities import toy_log_prob

__all__ = [
    "BinarizedDigits",
    "Digits",
    "EightSchools",
    "energy",
    "funnel",
    "load",
    "mutate",
    "photographs",
    "plain_images",
    "potential",
    "simulator",
    "spoiled",
    "toy",
    "toy_log_prob",
]
