"""Pictures of images, curves, samples, transforms and densities, with matplotlib.

matplotlib is an extra, `pip install tfp-flows[plot]`, and is imported when a picture is drawn, not
before. Nothing here goes through pyplot: there is no window, no current figure, and no figure to
close. Each function returns a `matplotlib.figure.Figure`, at most 8.5 inches wide, whose smallest
text has 9 points.
"""

from tfp_flows.plotting.curves import learning_curves
from tfp_flows.plotting.densities import density_grid, difference_grid
from tfp_flows.plotting.histograms import histograms
from tfp_flows.plotting.images import image_grid, image_rows
from tfp_flows.plotting.lines import lines
from tfp_flows.plotting.meshes import transformed_mesh
from tfp_flows.plotting.ranks import rank_histograms
from tfp_flows.plotting.saving import save
from tfp_flows.plotting.scatter import scatter_grid
from tfp_flows.plotting.stacking import stacked

__all__ = [
    "density_grid",
    "difference_grid",
    "histograms",
    "image_grid",
    "image_rows",
    "learning_curves",
    "lines",
    "rank_histograms",
    "save",
    "scatter_grid",
    "stacked",
    "transformed_mesh",
]
