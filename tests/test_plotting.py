"""Pictures: what is drawn where, errors, whole files or none, and nothing left of pyplot."""

import functools
import importlib
import pathlib
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import tensorflow as tf
from keras.callbacks import History
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text
from PIL import Image
from scipy import stats

from tfp_flows import plotting

ROOT = pathlib.Path(__file__).parents[1]
IMAGES = np.random.default_rng(0).uniform(size=[7, 6, 4])
SHEAR = np.array([[2.0, 1.0], [0.0, 0.5]])


def shear(points):
    return points @ SHEAR.T


def identity(points):
    return points


def normal_log_prob(points, mean=(0.0, 0.0)):
    return -0.5 * np.sum((points - np.asarray(mean)) ** 2, axis=-1)


@pytest.fixture(autouse=True)
def no_traces():
    """No function opens a figure of pyplot, or leaves a setting of matplotlib changed."""
    settings, figures = dict(matplotlib.rcParams), plt.get_fignums()
    yield
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == settings


def draw(figure):
    """Draws a figure, which also places what is in it; returns its dots, `[H, W, 3]`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def tiles(figure):
    """What each image of a grid shows, and its box (left, bottom, right, top) in inches."""
    (axes,) = figure.axes
    draw(figure)
    boxes = [image.get_window_extent().extents / figure.dpi for image in axes.images]
    return [np.asarray(image.get_array()) for image in axes.images], np.array(boxes)


def text_box(figure, label):
    """The box (left, bottom, right, top), in inches, of the one text that reads `label`."""
    draw(figure)
    (text,) = (text for text in figure.findobj(Text) if text.get_text() == label)
    return text.get_window_extent().extents / figure.dpi


def overlap(first, second):
    return (np.maximum(first, second)[:2] < np.minimum(first, second)[2:]).all()


# Images.


@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., np.newaxis], tf.constant(IMAGES)])
def test_grid_places_images_row_by_row(images):
    pictures, boxes = tiles(plotting.image_grid(images, num_columns=3))
    np.testing.assert_allclose(np.stack(pictures), IMAGES, atol=1e-6)
    left, bottom, right, top = boxes.T
    np.testing.assert_allclose(left[[0, 1, 2]], left[[3, 4, 5]])
    np.testing.assert_allclose(top[[0, 3, 6]], top[[2, 5, 6]])
    assert left[0] < right[0] < left[1] < right[1] < left[2]
    assert bottom[0] > top[3] > bottom[3] > top[6]
    np.testing.assert_allclose((top - bottom) / (right - left), 6 / 4, rtol=1e-3)
    np.testing.assert_allclose(left[1] - right[0], bottom[0] - top[3], atol=1e-6)


def test_grid_maps_zero_to_black_and_one_to_white():
    figure = plotting.image_grid(np.stack([np.full([2, 2], grey) for grey in (0.0, 1.0)]))
    _, boxes = tiles(figure)
    picture = draw(figure)
    for box, expected in zip(boxes, (0, 255), strict=True):
        column, row = (box[:2] + box[2:]) / 2 * figure.dpi
        assert picture[len(picture) - int(row), int(column)].tolist() == [expected] * 3


@pytest.mark.parametrize(("num_images", "columns"), [(1, 1), (5, 3), (9, 3), (10, 4)])
def test_grid_is_about_square_by_default(num_images, columns):
    _, boxes = tiles(plotting.image_grid(np.zeros([num_images, 2, 2])))
    assert len(np.unique(boxes[:, 0])) == columns


def test_grid_writes_titles_above_the_images():
    titles = ["zero", "one", "a longer title", "three"]
    figure = plotting.image_grid(IMAGES[:4], num_columns=2, titles=titles)
    _, boxes = tiles(figure)
    texts = [text_box(figure, title) for title in titles]
    for text, box in zip(texts, boxes, strict=True):
        assert text[1] >= box[3]
        assert text[0] + text[2] == pytest.approx(box[0] + box[2], abs=0.05)
        assert not any(overlap(text, other) for other in boxes)
    assert not overlap(texts[0], texts[1])
    assert not overlap(texts[2], texts[3])


def test_rows_have_labels_on_their_left():
    rows = {"data": IMAGES, "a reconstruction": tf.constant(IMAGES[..., np.newaxis] ** 2)}
    figure = plotting.image_rows(rows)
    pictures, boxes = tiles(figure)
    np.testing.assert_allclose(np.stack(pictures), np.concatenate([IMAGES, IMAGES**2]), atol=1e-6)
    for row, label in enumerate(rows):
        text, first = text_box(figure, label), boxes[7 * row]
        assert 0.0 <= text[0] < text[2] < first[0]
        assert first[1] < text[1] < text[3] < first[3]
    assert boxes[0][1] > boxes[7][3]


def test_binary_images_of_any_type():
    for dtype in (bool, np.uint8, np.float16, np.int64):
        pictures, _ = tiles(plotting.image_grid((IMAGES > 0.5).astype(dtype)))
        np.testing.assert_array_equal(np.stack(pictures), IMAGES > 0.5)


# Learning curves.


def lines_of(figure):
    """The lines of the first axes by label."""
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_curves_of_training_are_thin_and_of_validation_thick():
    record = {"neg_elbo": [5.0, 4.0, 3.5], "val_neg_elbo": [6.0, 4.5, 4.0], "loss": [0.0] * 3}
    other = {"neg_elbo": [7.0, 6.0, 5.5], "val_neg_elbo": [8.0, 6.5, 6.0]}
    drawn = lines_of(plotting.learning_curves({"planar": record, "radial": other}))
    assert list(drawn) == ["_planar (training)", "planar", "_radial (training)", "radial"]
    for label, values in {"_planar (training)": [5, 4, 3.5], "planar": [6, 4.5, 4]}.items():
        np.testing.assert_array_equal(drawn[label].get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(drawn[label].get_ydata(), values)
    thin, thick = drawn["_planar (training)"], drawn["planar"]
    assert thin.get_linewidth() < thick.get_linewidth()
    assert thin.get_color() == thick.get_color() != drawn["radial"].get_color()


def test_curves_without_validation():
    record = {"loss": [5.0, 4.0], "val_loss": [6.0, 4.5]}
    figure = plotting.learning_curves({"a": record}, "loss", validation=False)
    assert list(lines_of(figure)) == ["a"]
    assert figure.axes[0].get_legend() is None
    figure = plotting.learning_curves({"a": record, "b": {"loss": [1.0]}}, "loss")
    assert list(lines_of(figure)) == ["_a (training)", "a", "b"]
    assert [text.get_text() for text in figure.axes[0].get_legend().texts] == [
        "training",
        "validation",
    ]


def test_curves_take_histories_and_their_epochs():
    history = History()
    history.epoch = [4, 5, 6, 7, 8]
    history.history = {"loss": [5.0, 4.0, 3.0, 2.0, 1.0], "val_loss": [3.5, 1.5]}
    figure = plotting.learning_curves({"a": history}, "loss", metric_label="loss in nats")
    np.testing.assert_array_equal(lines_of(figure)["_a (training)"].get_xdata(), [5, 6, 7, 8, 9])
    np.testing.assert_array_equal(lines_of(figure)["a"].get_xdata(), [6, 8])
    assert figure.axes[0].get_title(loc="left") == "loss in nats"
    assert figure.axes[0].get_xlabel() == "epoch"


def test_curves_say_which_metric():
    figure = plotting.learning_curves({"a": {"neg_elbo": [1.0, 2.0]}})
    assert figure.axes[0].get_title(loc="left") == "neg_elbo"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_limits_leave_out_the_first_epochs_and_hold_the_end(sign):
    epochs = np.arange(1, 61)
    values = sign * (92.0 + 1e4 * np.exp(-epochs) + 60.0 / epochs)
    diverged = values.copy()
    diverged[-1] = sign * 150.0
    low, high = plotting.learning_curves({"a": {"m": values}}, "m").axes[0].get_ylim()
    assert low < values[10:].min() < values[10:].max() < high
    assert high - low < 15.0
    low, high = plotting.learning_curves({"a": {"m": diverged}}, "m").axes[0].get_ylim()
    assert low < diverged[-1] < high


def test_curves_have_gaps_where_a_loss_is_not_finite():
    values = [3.0, np.nan, 2.0, np.inf, 1.0, np.nan]
    figure = plotting.learning_curves({"a": {"m": values}, "b": {"m": [2.0]}}, "m")
    np.testing.assert_array_equal(lines_of(figure)["a"].get_ydata(), values)
    low, high = figure.axes[0].get_ylim()
    assert low < 1.0 < 3.0 < high < 4.0


def test_labels_stand_beside_the_ends_and_apart():
    ends = {"a": 3.0, "b": 1.0, "c": 1.001, "d": 1.002, "e": 0.999}
    histories = {label: {"m": [5.0, 4.0, end]} for label, end in ends.items()}
    figure = plotting.learning_curves(histories, "m")
    boxes = {label: text_box(figure, label) for label in ends}
    heights = {label: (box[1] + box[3]) / 2 for label, box in boxes.items()}
    for label, box in boxes.items():
        assert not any(overlap(box, boxes[other]) for other in ends if other != label)
        assert figure.axes[0].get_window_extent().x1 / figure.dpi < box[0]
        colours = [text.get_color() for text in figure.findobj(Text) if text.get_text() == label]
        assert colours == [lines_of(figure)[label].get_color()]
    assert sorted(heights, key=heights.get) == sorted(ends, key=ends.get)
    to_inches = figure.axes[0].transData.transform
    assert heights["a"] == pytest.approx(to_inches((3, 3.0))[1] / figure.dpi, abs=0.03)
    crowd = np.mean([heights[label] for label in "bcde"])
    assert crowd == pytest.approx(to_inches((3, 1.0))[1] / figure.dpi, abs=0.03)


def test_many_curves_all_look_different():
    histories = {str(k): {"m": [2.0, 1.0 + k]} for k in range(12)}
    looks = {
        (line.get_color(), line.get_linestyle())
        for line in plotting.learning_curves(histories, "m").axes[0].lines
    }
    assert len(looks) == 12


# Lines.


def test_lines_are_drawn_with_gaps_and_references():
    x = np.linspace(1.0, 10.0, 30)
    y = np.where((x > 4.0) & (x < 6.0), np.nan, x**2)
    y[-1] = np.inf
    figure = plotting.lines(
        {"squares": (x, tf.constant(y)), "few": ([1, 10], [5.0, 6.0])},
        x_label="steps",
        y_label="nats",
        references={"entropy": 3.0},
        title="All",
    )
    drawn = lines_of(figure)
    np.testing.assert_array_equal(drawn["squares"].get_xdata(), x)
    np.testing.assert_array_equal(drawn["squares"].get_ydata(), np.where(np.isinf(y), np.nan, y))
    assert drawn["squares"].get_marker() == "None"
    assert drawn["few"].get_marker() == "o"
    assert set(drawn["entropy"].get_ydata()) == {3.0}
    assert drawn["squares"].get_color() != drawn["few"].get_color() != drawn["entropy"].get_color()
    low, high = figure.axes[0].get_ylim()
    assert low < 1.0 < np.nanmax(y[:-1]) < high < 2.0 * np.nanmax(y[:-1])
    assert figure.axes[0].get_xlabel() == "steps"
    assert figure.axes[0].get_title(loc="left") == "nats"
    assert figure.get_suptitle() == "All"


def test_lines_have_labels_at_their_ends_or_a_legend():
    def draw_lines(**curves):
        return plotting.lines(curves, x_label="x", y_label="y", references={"zero": 0.0})

    apart = draw_lines(a=([0, 1], [0.0, 1.0]), b=([0, 1], [1.0, 2.0]))
    assert not apart.legends
    for label, height in (("a", 1.0), ("b", 2.0), ("zero", 0.0)):
        box = text_box(apart, label)
        at = apart.axes[0].transData.transform((1.0, height))[1] / apart.dpi
        assert (box[1] + box[3]) / 2 == pytest.approx(at, abs=0.03)
    early = draw_lines(a=([0, 1], [0.0, 1.0]), b=([0, 0.5], [1.0, 2.0]))
    crowded = draw_lines(**{label: ([0, 1], [0.0, 1.0]) for label in "abcdef"})
    for figure in (early, crowded):
        (legend,) = figure.legends
        assert "zero" not in [text.get_text() for text in legend.texts]
        text_box(figure, "zero")
        for text in legend.texts:
            assert text_box(figure, text.get_text())[0] > figure.axes[0].bbox.x1 / figure.dpi


def test_logarithmic_axes_have_plain_numbers():
    figure = plotting.lines(
        {"a": ([2, 8, 32], [0.5, 0.1, 0.004]), "b": ([2, 4, 8], [1.0, 0.3, 0.2])},
        x_label="layers",
        y_label="KL",
        log_x=True,
        log_y=True,
    )
    draw(figure)
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "4", "8", "32"]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert {"0.01", "0.1", "1"} <= set(shown)
    assert not any("^" in text for text in shown)


# Histograms.


def bars_of(axes):
    """Heights and edges of each histogram or band of `axes`."""
    return [
        (np.asarray(patch.get_data().values), np.asarray(patch.get_data().edges))
        for patch in axes.patches
        if isinstance(patch, StepPatch)
    ]


def test_histograms_are_densities_beside_densities():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=4000)
    figure = plotting.histograms(
        {"x": {"flow": values, "data": tf.constant(values**2)}, "y": {}},
        densities={"y": {"exact": lambda x: np.full(len(x), 0.5)}},
        bins=10,
        limits={"x": (0.0, 0.5), "y": (-1, 1)},
        title="Marginals",
    )
    x, y = figure.axes
    assert [x.get_title(), y.get_title(), figure.get_suptitle()] == ["x", "y", "Marginals"]
    for samples, (heights, edges) in zip((values, values**2), bars_of(x), strict=True):
        np.testing.assert_allclose(edges, np.linspace(0.0, 0.5, 11))
        counts = [np.mean((samples >= a) & (samples < a + 0.05)) for a in edges[:-1]]
        np.testing.assert_allclose(heights, np.array(counts) / 0.05)  # of all samples
    filled, outlined = x.patches
    assert filled.get_fill() and not outlined.get_fill()
    (curve,) = y.lines
    assert set(curve.get_ydata()) == {0.5}
    assert curve.get_xdata()[[0, -1]] == pytest.approx([-1.0, 1.0])
    assert (x.get_xlim(), y.get_xlim(), x.get_ylim()[0]) == ((0.0, 0.5), (-1.0, 1.0), 0.0)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["flow", "data", "exact"]


def test_histograms_show_all_but_the_tails():
    values = np.append(np.linspace(-2.0, 3.0, 100_000), 1e6)
    figure = plotting.histograms({"x": {"samples": values}})
    low, high = figure.axes[0].get_xlim()
    assert -2.4 < low < -2.0 and 3.0 < high < 3.4
    assert not figure.legends
    constant = plotting.histograms({"x": {"samples": np.full(5, 2.0)}})
    low, high = constant.axes[0].get_xlim()
    assert low < 2.0 < high


def test_rank_histograms_stand_beside_what_uniform_ranks_give():
    ranks = np.repeat(np.arange(10), 50)
    figure = plotting.rank_histograms(
        {"even": ranks, "low": np.zeros(500, int)}, num_draws=9, num_bins=5
    )
    even, low = figure.axes
    for axes, expected in ((even, np.ones(5)), (low, [5.0, 0.0, 0.0, 0.0, 0.0])):
        (band, edges), (heights, _) = bars_of(axes)
        np.testing.assert_allclose(heights, expected)
        np.testing.assert_allclose(edges, np.linspace(0.0, 1.0, 6))
        np.testing.assert_allclose(band, stats.binom.ppf(0.995, 500, 0.2) / 100.0)
        baseline = axes.patches[0].get_data().baseline
        np.testing.assert_allclose(baseline, stats.binom.ppf(0.005, 500, 0.2) / 100.0)
    assert even.get_ylim() == low.get_ylim()
    assert low.get_ylim()[1] > 5.0


def test_rank_histograms_expect_what_unequal_bins_hold():
    figure = plotting.rank_histograms({"a": np.arange(10)}, num_draws=9, num_bins=4)
    (_, (heights, _)) = bars_of(figure.axes[0])
    np.testing.assert_allclose(heights, 1.0)


# Points.


def test_scatter_draws_the_points_or_some_from_everywhere():
    few = np.random.default_rng(0).normal(size=[30, 2])
    many = np.stack([np.linspace(-1.0, 1.0, 10_001), np.zeros(10_001)], axis=-1)
    figure = plotting.scatter_grid(
        {"few": tf.constant(few), "many": many}, ((-3, 3), (-2, 2)), max_points=101
    )
    assert [axes.get_title() for axes in figure.axes] == ["few", "many"]
    np.testing.assert_allclose(points_of(figure.axes[0]), few)
    np.testing.assert_allclose(points_of(figure.axes[1])[:, 0], np.linspace(-1.0, 1.0, 101))
    assert figure.axes[0].get_xlim() == (-3.0, 3.0)
    sizes = [samples_of(axes).get_sizes()[0] for axes in figure.axes]
    assert sizes[0] == sizes[1] > 0.0


# Transforms and densities.


def mesh_of(axes):
    (mesh,) = (c for c in axes.collections if isinstance(c, LineCollection))
    return np.array(mesh.get_segments())


def samples_of(axes):
    (samples,) = (c for c in axes.collections if isinstance(c, PathCollection))
    return samples


def points_of(axes):
    return np.asarray(samples_of(axes).get_offsets())


def test_mesh_and_samples_are_moved():
    figure = plotting.transformed_mesh(
        {"before": identity, "after": lambda x: tf.constant(shear(x))},
        half_width=2.0,
        num_lines=5,
        num_samples=3000,
        title="A shear",
    )
    before, after, bar = figure.axes
    mesh = mesh_of(before)
    assert mesh.shape[::2] == (10, 2)
    np.testing.assert_array_equal(mesh[:5, :, 0].T, np.tile(np.linspace(-2, 2, 5), (121, 1)))
    np.testing.assert_array_equal(mesh[5:, :, 1].T, np.tile(np.linspace(-2, 2, 5), (121, 1)))
    np.testing.assert_allclose(mesh[:5, [0, -1], 1], np.tile([-2, 2], (5, 1)))
    np.testing.assert_allclose(mesh_of(after), mesh @ SHEAR.T, atol=1e-5)

    samples = points_of(before)
    np.testing.assert_allclose(points_of(after), samples @ SHEAR.T, atol=1e-5)
    np.testing.assert_allclose(np.mean(samples, axis=0), 0.0, atol=0.08)
    np.testing.assert_allclose(np.cov(samples.T), np.eye(2), atol=0.1)
    density = np.exp(normal_log_prob(samples)) / (2 * np.pi)
    for axes in (before, after):
        np.testing.assert_allclose(samples_of(axes).get_array(), density, rtol=1e-4)
    assert "density of the standard normal where" in bar.get_xlabel()

    assert [axes.get_title() for axes in (before, after)] == ["before", "after"]
    assert figure.get_suptitle() == "A shear"
    draw(figure)
    for axes in (before, after):
        assert axes.get_aspect() == 1.0
        assert axes.get_window_extent().size == pytest.approx(before.get_window_extent().size)
        assert (axes.get_xlim(), axes.get_ylim()) == (before.get_xlim(), before.get_ylim())
    (left, right), (bottom, top) = before.get_xlim(), before.get_ylim()
    assert left < -6.0 < 6.0 < right < 7.0
    assert bottom < -2.0 < 2.0 < top < 3.0


def test_log_dets_are_grey_orange_and_blue():
    def constant(value):
        return lambda points: np.full(len(points), value)

    transforms = {"same": identity, "grows": lambda x: 2 * x, "shrinks": lambda x: 0.5 * x}
    log_dets = {"shrinks": -np.log(4.0), "same": 0.0, "grows": np.log(4.0)}
    figure = plotting.transformed_mesh(
        transforms, {label: constant(value) for label, value in log_dets.items()}
    )
    for axes in figure.axes[:3]:
        samples = samples_of(axes)
        value = log_dets[axes.get_title()]
        np.testing.assert_array_equal(samples.get_array(), np.full(1000, value))
        samples.update_scalarmappable()
        red, green, blue, _ = samples.get_facecolor()[0]
        if value == 0.0:
            assert red == pytest.approx(green, abs=0.01) and green == pytest.approx(blue, abs=0.01)
        else:
            assert (red > blue) == (value > 0.0)
    low, high = samples_of(figure.axes[0]).get_clim()
    assert low == -high == pytest.approx(-np.log(4.0))
    text = figure.axes[3].get_xlabel()
    assert text.startswith("log-det in nats; blue: areas shrink")
    assert "; orange: areas grow" in text

    figure = plotting.transformed_mesh({"grows": shear}, {"grows": constant(2.0)})
    assert figure.axes[1].get_xlabel().splitlines() == [
        "log-det in nats",
        "orange: areas grow, density falls",
    ]
    assert figure.axes[1].get_xlim() == pytest.approx((0.0, 2.0))


def test_one_extreme_log_det_does_not_set_the_scale():
    figure = plotting.transformed_mesh(
        {"a": identity}, {"a": lambda x: np.where(np.arange(len(x)) == 0, -50.0, 1.0)}
    )
    assert samples_of(figure.axes[0]).get_clim() == pytest.approx((-1.0, 1.0))


def test_mesh_alone_and_samples_alone():
    figure = plotting.transformed_mesh({"a": shear}, num_samples=0)
    assert len(figure.axes) == 1
    assert len(points_of(figure.axes[0])) == 0
    figure = plotting.transformed_mesh({"a": shear}, num_lines=0, num_samples=50)
    axes = figure.axes[0]
    points = points_of(axes)
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    assert (low < points).all()
    assert (points < high).all()


def test_samples_come_from_the_seed():
    def samples(seed):
        figure = plotting.transformed_mesh({"a": identity}, num_samples=5, seed=seed)
        return points_of(figure.axes[0])

    np.testing.assert_array_equal(samples(1), samples(1))
    assert (samples(1) != samples(2)).all()


@pytest.mark.parametrize(("dtype", "expected"), [("float32", np.float32), (tf.float64, np.float64)])
def test_callables_get_points_of_the_dtype(dtype, expected):
    seen = set()

    def spy(points):
        seen.add(points.dtype)
        return points

    plotting.transformed_mesh({"a": spy}, dtype=dtype)
    plotting.density_grid(lambda x: spy(x)[:, 0], dtype=dtype, num_points=3)
    assert seen == {np.dtype(expected)}


def test_density_is_drawn_where_it_is():
    figure = plotting.density_grid(
        {
            "tensor": lambda x: tf.constant(normal_log_prob(x, mean=(1.9, -0.9))) + 700.0,
            "half": lambda x: np.where(x[:, 0] < 0.0, -np.inf, normal_log_prob(x)),
        },
        limits=((-2.0, 4.0), (-1.5, 0.5)),
        num_points=60,
    )
    left, bottom = np.array([-2.0, -1.5])
    cell = np.array([6.0, 2.0]) / 60
    for axes, center in zip(figure.axes, ([1.9, -0.9], [0.05, 0.0]), strict=True):
        (image,) = axes.images
        density = np.asarray(image.get_array())
        assert image.origin == "lower"
        assert image.get_extent() == [-2.0, 4.0, -1.5, 0.5]
        assert image.get_clim() == (0.0, 1.0)
        assert density.max() == 1.0
        row, column = np.unravel_index(np.argmax(density), density.shape)
        peak = np.array([left, bottom]) + cell * (np.array([column, row]) + 0.5)
        np.testing.assert_allclose(peak, center, atol=0.6 * cell.max())
        assert (axes.get_xlim(), axes.get_ylim()) == ((-2.0, 4.0), (-1.5, 0.5))
        assert axes.get_aspect() == 1.0
    density = np.asarray(figure.axes[0].images[0].get_array())
    # From x = 1.95 to 3.95, y = -0.9: the ratio of the densities at 0.05 and at 2.05.
    ratio = density[17, 59] / density[17, 39]
    assert ratio == pytest.approx(np.exp(-0.5 * (2.05**2 - 0.05**2)), rel=1e-3)
    assert (np.asarray(figure.axes[1].images[0].get_array())[:, :20] == 0.0).all()
    assert [axes.get_title() for axes in figure.axes] == ["tensor", "half"]


def test_densities_on_one_scale():
    densities = {"a": normal_log_prob, "b": lambda x: normal_log_prob(x) - 1.0}
    for common_scale, expected in ((False, 1.0), (True, np.exp(-1.0))):
        figure = plotting.density_grid(densities, num_points=9, common_scale=common_scale)
        first, second = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
        np.testing.assert_allclose(second, expected * first)


def test_differences_share_a_scale_that_an_edge_does_not_set():
    figure = plotting.difference_grid(
        {
            "x": lambda z: z[:, 0],
            "edge": lambda z: np.where((z > 3.9).all(axis=1), 100.0, -0.5 * z[:, 1]),
        },
        limits=4.0,
        num_points=50,
        label="errors",
    )
    first, second, bar = figure.axes
    x = np.asarray(first.images[0].get_array())
    np.testing.assert_allclose(x[0], (np.arange(50) + 0.5) * 0.16 - 4.0, atol=1e-6)
    assert first.images[0].get_clim() == second.images[0].get_clim()
    low, high = first.images[0].get_clim()
    assert 3.5 < high == -low < 4.0
    assert np.asarray(second.images[0].get_array())[0, 0] == pytest.approx(1.96)
    assert bar.get_xlabel() == "errors"
    for value, brighter in ((0.0, None), (3.0, 0), (-3.0, 2)):
        colour = first.images[0].cmap(first.images[0].norm(value))[:3]
        assert (min(colour) > 0.99) if brighter is None else (np.argmax(colour) == brighter)


def test_pictures_of_unequal_axes_are_squares():
    limits = ((0.0, 1.0), (0.0, 9.0))
    draws = (
        lambda equal: plotting.density_grid(normal_log_prob, limits, num_points=4, equal=equal),
        lambda equal: plotting.difference_grid(
            {"": normal_log_prob}, limits, num_points=4, equal=equal
        ),
    )
    for draw_it in draws:
        for equal, expected in ((True, 9.0), (False, 1.0)):
            figure = draw_it(equal)
            draw(figure)
            width, height = figure.axes[0].get_window_extent().size
            assert height / width == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [(3, [-3, 3, -3, 3]), ((0, 1), [0, 1, 0, 1]), (np.array([[0, 1], [2, 5]]), [0, 1, 2, 5])],
)
def test_limits_can_be_written_in_three_ways(limits, expected):
    figure = plotting.density_grid(normal_log_prob, limits, num_points=4)
    assert figure.axes[0].images[0].get_extent() == expected
    axes = plotting.transformed_mesh({"a": shear}, limits=limits).axes[0]
    assert [*axes.get_xlim(), *axes.get_ylim()] == expected


def test_panels_fill_rows():
    densities = {str(k): normal_log_prob for k in range(5)}
    figure = plotting.density_grid(densities, num_points=4, num_columns=3)
    draw(figure)
    boxes = np.array([axes.get_window_extent().extents for axes in figure.axes])
    assert len(boxes) == 5
    np.testing.assert_allclose(boxes[:2, 0], boxes[3:, 0])
    assert boxes[3, 3] < boxes[0, 1]
    labelled = [axes.xaxis.get_major_ticks()[0].label1.get_visible() for axes in figure.axes]
    assert labelled == [False, False, True, True, True]


# Several in one.


def test_stacked_figures_are_drawn_as_they_are_alone():
    def figures():
        return [
            plotting.image_grid(IMAGES, num_columns=7),
            plotting.lines({"a": ([0, 1], [0.0, 1.0])}, x_label="x", y_label="y"),
        ]

    alone = [draw(figure) for figure in figures()]
    stack = plotting.stacked(figures())
    picture = draw(stack)
    sizes = [np.array(dots.shape[:2]) for dots in alone]
    np.testing.assert_allclose(picture.shape[0], sizes[0][0] + 10 + sizes[1][0], atol=1)
    assert picture.shape[1] == 850
    np.testing.assert_array_equal(picture[-sizes[1][0] :, : sizes[1][1]], alone[1])
    left = (850 - sizes[0][1]) // 2
    shown = picture[: sizes[0][0], left : left + sizes[0][1]]
    assert np.mean(shown != alone[0]) < 0.1  # half a dot to the side
    assert (picture[sizes[0][0] + 1 : sizes[0][0] + 9] == 255).all()


def test_stacked_figures_have_the_resolution_of_the_file(tmp_path):
    for name in ("a.png", "a.pdf"):
        stack = plotting.stacked([plotting.image_grid(IMAGES)])
        path = plotting.save(stack, tmp_path / name, dpi=40)
        assert path.stat().st_size > 500
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 340
        assert np.asarray(image.convert("L")).min() < 60


# What holds for all pictures.

PICTURES = {
    "grid": lambda: plotting.image_grid(np.zeros([60, 8, 8]), num_columns=60),
    "titles": lambda: plotting.image_grid(IMAGES, titles=[f"image {k}" for k in range(7)]),
    "rows": lambda: plotting.image_rows({"a long label, with gjpqy": IMAGES, "b": IMAGES}),
    "curves": lambda: plotting.learning_curves(
        {f"a rather long label {k}": {"m": [1e6, k], "val_m": [1e5, k]} for k in range(9)}, "m"
    ),
    "mesh": lambda: plotting.transformed_mesh({f"u = {k}": shear for k in range(7)}, title="All"),
    "log-dets": lambda: plotting.transformed_mesh(
        {"u": shear}, {"u": lambda x: 2.0 * x[:, 0]}, title="One"
    ),
    "densities": lambda: plotting.density_grid({f"energy {k}": normal_log_prob for k in range(6)}),
    "differences": lambda: plotting.difference_grid(
        {f"error {k}": normal_log_prob for k in range(3)}, label="an error in nats", title="All"
    ),
    "scatter": lambda: plotting.scatter_grid({"a": IMAGES[:, 0, :2]}, title="Points"),
    "lines": lambda: plotting.lines(
        {f"a rather long label {k}": ([1, 10, 100], [1.0, 0.1, 1e-4]) for k in range(7)},
        x_label="layers",
        y_label="nats",
        log_x=True,
        log_y=True,
        references={"the entropy": 0.01},
        title="All",
    ),
    "histograms": lambda: plotting.histograms(
        {f"parameter {k}": {"flow": IMAGES.ravel(), "HMC": IMAGES.ravel()} for k in range(4)},
        densities={"parameter 0": {"exact": np.ones_like}},
        title="All",
    ),
    "ranks": lambda: plotting.rank_histograms(
        {f"parameter {k}": np.arange(100) for k in range(5)}, num_draws=99, title="All"
    ),
    "stack": lambda: plotting.stacked(
        [plotting.density_grid(normal_log_prob), plotting.image_rows({"a label": IMAGES})]
    ),
    "density": lambda: plotting.density_grid(normal_log_prob, limits=((0.0, 1.0), (0.0, 3.0))),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_readable_at_the_width_of_a_page(name, monkeypatch):
    drawn = []
    draw_text = RendererAgg.draw_text

    def record(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
        box = (x, y - height + descent, x + width, y + descent)
        drawn.append((s, prop.get_size_in_points(), gc.get_rgb()[:3], angle, box))
        return draw_text(self, gc, x, y, s, prop, angle, ismath, mtext)

    monkeypatch.setattr(RendererAgg, "draw_text", record)
    # Settings of the reader's own change nothing, also where they meet the figure after it is made.
    theirs = {
        **matplotlib.style.library["dark_background"],
        "axes.spines.top": False,
        "figure.constrained_layout.use": True,
        "font.size": 4,
        "image.origin": "lower",
        "legend.labelcolor": "#FFFF00",
        "mathtext.fontset": "cm",
        "savefig.bbox": "tight",
        "xtick.labelsize": 3,
    }
    ours = draw(PICTURES[name]())
    with matplotlib.rc_context(theirs):
        figure = PICTURES[name]()
        drawn.clear()
        np.testing.assert_array_equal(draw(figure), ours)
    assert figure.get_size_inches()[0] <= 8.5 + 1e-6
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert drawn or name == "grid"
    width, height = figure.bbox.size
    for text, size, colour, angle, (left, top, right, bottom) in drawn:
        assert size >= 9.0, text
        assert np.mean(colour) < 0.7, text
        assert angle == 0.0, text
        assert 0 <= left < right <= width, text
        assert 0 <= top < bottom <= height, text


def test_matplotlib_is_imported_when_a_picture_is_drawn(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("tfp_flows.plotting")]:
        monkeypatch.delitem(sys.modules, name)
    fresh = importlib.import_module("tfp_flows.plotting")
    assert fresh is not plotting
    with pytest.raises(ImportError, match=r"pip install tfp-flows\[plot\]"):
        fresh.image_grid(IMAGES)
    with pytest.raises(ImportError, match=r"pip install tfp-flows\[plot\]"):
        fresh.save(None, "a.png")


# Bad input.

CURVE = {"loss": [2.0, 1.0]}
FIGURE = Figure()
LINES = functools.partial(plotting.lines, x_label="x", y_label="y")
LOG_LINES = functools.partial(LINES, log_y=True)
BAD = {
    "images of rank 2": (plotting.image_grid, [IMAGES[0]], ValueError, r"images: .*\(6, 4\)"),
    "colours": (plotting.image_grid, [np.zeros([2, 6, 4, 3])], ValueError, r"images: .*4, 3\)"),
    "no image": (plotting.image_grid, [IMAGES[:0]], ValueError, r"images: .*\(0, 6, 4\)"),
    "bytes": (plotting.image_grid, [255 * IMAGES], ValueError, "images: .* from 0 to 1; .*25"),
    "negative": (plotting.image_grid, [IMAGES - 0.5], ValueError, "images: .* from -0"),
    "NaN": (plotting.image_grid, [IMAGES * np.nan], ValueError, "images: .*nan"),
    "texts": (plotting.image_grid, [["a"]], TypeError, "images: .* real numbers; .*str"),
    "complex": (plotting.image_grid, [IMAGES + 0j], TypeError, "images: .*complex128"),
    "no column": (plotting.image_grid, [IMAGES, 0], ValueError, "num_columns: .*>= 1; .*0"),
    "half a column": (plotting.image_grid, [IMAGES, 1.5], TypeError, "num_columns: .*1.5"),
    "61 columns": (
        plotting.image_grid,
        [np.zeros([61, 2, 2]), 61],
        ValueError,
        "images: expected at most 60 side by side.* 61$",
    ),
    "long label": (
        plotting.image_rows,
        [{"long " * 30: IMAGES}],
        ValueError,
        "images: expected at most 0 side by side.* 7$",
    ),
    "few titles": (plotting.image_grid, [IMAGES, 2, ["a"]], ValueError, "titles: expected 7.*1"),
    "title": (plotting.image_grid, [IMAGES, 2, "sevenis"], TypeError, "titles: .*sevenis"),
    "title 1": (plotting.image_grid, [IMAGES, 2, 1], TypeError, "titles: .* 1$"),
    "rows as list": (plotting.image_rows, [[IMAGES]], TypeError, "rows: .*list"),
    "no row": (plotting.image_rows, [{}], ValueError, "rows: .*none"),
    "row 1": (plotting.image_rows, [{1: IMAGES}], TypeError, "rows: .*label 1"),
    "bad row": (plotting.image_rows, [{"a": 2 + IMAGES}], ValueError, r"rows\['a'\]: .* from 2"),
    "unequal": (plotting.image_rows, [{"a": IMAGES, "b": IMAGES[:3]}], ValueError, "rows: .*3, 6"),
    "no history": (plotting.learning_curves, [{}], ValueError, "histories: .*none"),
    "list": (plotting.learning_curves, [{"a": [1.0]}], TypeError, r"histories\['a'\]: .*list"),
    "metric": (plotting.learning_curves, [{"a": CURVE}], ValueError, "metric: .*'loss'; .*elbo"),
    "metric 1": (plotting.learning_curves, [{"a": CURVE}, 1], TypeError, "metric: .*1"),
    "empty curve": (
        plotting.learning_curves,
        [{"a": {"loss": []}}, "loss"],
        ValueError,
        r"\['loss'\]: expected one number an epoch",
    ),
    "validation": (
        plotting.learning_curves,
        [{"a": {"m": [1, 2, 3, 4, 5], "val_m": [1, 2, 3]}}, "m"],
        ValueError,
        r"\['val_m'\]: .* 5 epochs; received 3",
    ),
    "no transform": (plotting.transformed_mesh, [{}], ValueError, "transforms: .*none"),
    "a transform": (plotting.transformed_mesh, [shear], TypeError, "transforms: .*function"),
    "a number": (plotting.transformed_mesh, [{"a": 1}], TypeError, r"transforms\['a'\]: .*int"),
    "shape": (
        plotting.transformed_mesh,
        [{"a": lambda x: x[:, 0]}],
        ValueError,
        r"transforms\['a'\]: .*\(4146, 2\).* received the shape \(4146,\)",
    ),
    "infinite": (
        plotting.transformed_mesh,
        [{"a": lambda x: np.where(x > 2.99, np.inf, x)}],
        ValueError,
        r"transforms\['a'\]: .* finite numbers; received inf at \[-?[0-9.]+, [0-9.]+\]",
    ),
    "labels": (
        plotting.transformed_mesh,
        [{"a": identity}, {"b": identity}],
        ValueError,
        r"log_dets: .*\['a'\]; received \['b'\]",
    ),
    "log-det": (
        plotting.transformed_mesh,
        [{"a": identity}, {"a": identity}],
        ValueError,
        r"log_dets\['a'\]: .*\(1000,\).*\(1000, 2\)",
    ),
    "NaN density": (
        plotting.density_grid,
        [lambda x: np.log(x[:, 0])],
        ValueError,
        "log_prob: .* received nan at",
    ),
    "infinite density": (
        plotting.density_grid,
        [{"a": lambda x: np.full(len(x), np.inf)}],
        ValueError,
        r"log_prob\['a'\]: .* received inf at",
    ),
    "no density": (
        plotting.density_grid,
        [lambda x: np.full(len(x), -np.inf)],
        ValueError,
        "log_prob: .* minus infinity everywhere",
    ),
    "no difference": (plotting.difference_grid, [{}], ValueError, "differences: .*none"),
    "infinite difference": (
        plotting.difference_grid,
        [{"a": lambda x: np.full(len(x), -np.inf)}],
        ValueError,
        r"differences\['a'\]: .* finite numbers; received -inf at",
    ),
    "points": (plotting.scatter_grid, [{"a": IMAGES}], ValueError, r"points\['a'\]: .*7, 6, 4"),
    "NaN point": (
        plotting.scatter_grid,
        [{"a": [[0.0, np.nan]]}],
        ValueError,
        r"points\['a'\]: .* finite numbers; received \[0.0, nan\] \(1 of 1 points\)",
    ),
    "no curve": (LINES, [{}], ValueError, "curves: .*none"),
    "no pair": (LINES, [{"a": [1.0]}], TypeError, r"curves\['a'\]: expected a pair \(x, y\)"),
    "unequal pair": (LINES, [{"a": ([1, 2], [1])}], ValueError, r"\['a'\]: .*\(2,\) and \(1,\)"),
    "all NaN": (LINES, [{"a": ([1], [np.nan])}], ValueError, r"\['a'\]: .*some finite y.* and 0 "),
    "log of 0": (LOG_LINES, [{"a": ([1], [0.0])}], ValueError, r"y of curves\['a'\]: .*positive"),
    "reference": (
        functools.partial(LINES, references={"r": np.inf}),
        [{"a": ([1], [0.0])}],
        ValueError,
        r"references\['r'\]: expected a finite number.* received inf",
    ),
    "samples": (plotting.histograms, [{"x": IMAGES}], TypeError, r"samples\['x'\]: .*ndarray"),
    "sample": (
        plotting.histograms,
        [{"x": {"a": IMAGES}}],
        ValueError,
        r"samples\['x'\]\['a'\]: .*\(7, 6, 4\)",
    ),
    "nothing": (
        functools.partial(plotting.histograms, limits=1.0),
        [{"x": {}}],
        ValueError,
        r"samples\['x'\]: expected samples or a density",
    ),
    "no limits": (plotting.histograms, [{"x": {}}], ValueError, "limits: .*'x'.* none"),
    "other plot": (
        functools.partial(plotting.histograms, densities={"y": {"a": np.ones_like}}),
        [{"x": {"a": [1.0]}}],
        ValueError,
        r"densities: .*\['x'\]; received \['y'\]",
    ),
    "log-density": (
        functools.partial(plotting.histograms, densities={"x": {"a": np.negative}}),
        [{"x": {"a": [1.0, 2.0]}}],
        ValueError,
        r"densities\['x'\]\['a'\]: expected densities, and not their logarithms; received -",
    ),
    "rank": (plotting.rank_histograms, [{"a": [31]}, 30], ValueError, "from 0 to 30.* 31"),
    "half a rank": (
        plotting.rank_histograms,
        [{"a": [0.5]}, 99],
        ValueError,
        r"ranks\['a'\]: .*0.5",
    ),
    "many bins": (plotting.rank_histograms, [{"a": [1]}, 9], ValueError, "num_bins: .*10; .*20"),
    "stack of one": (
        plotting.stacked,
        [Figure()],
        TypeError,
        "figures: expected a sequence.*Figure",
    ),
    "no figure": (plotting.stacked, [[]], ValueError, "figures: expected one or more"),
    "not a figure": (plotting.stacked, [["a"]], TypeError, r"figures\[0\]: .*str"),
    "twice": (plotting.stacked, [[FIGURE, FIGURE]], ValueError, "figures: .*twice"),
    "no function": (plotting.density_grid, [1.0], TypeError, "log_prob: .*float"),
    "save what": (plotting.save, ["a", "a.png"], TypeError, "figure: .*str"),
    "save where": (plotting.save, [Figure(), 1], TypeError, "path: .*int"),
    "no format": (plotting.save, [Figure(), "picture"], ValueError, r"path: .*\.png.*'picture'"),
    "format": (plotting.save, [Figure(), "a.doc"], ValueError, r"path: .*\.png.*'a.doc'"),
    "dpi": (plotting.save, [Figure(), "a.png", 0], ValueError, "dpi: .*0"),
    "dpi text": (plotting.save, [Figure(), "a.png", "x"], TypeError, "dpi: .*'x'"),
}


@pytest.mark.filterwarnings("ignore:invalid value")  # the logarithm of "NaN density"
@pytest.mark.parametrize(("function", "arguments", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("half_width", 0.0, ValueError),
        ("half_width", "x", TypeError),
        ("num_lines", -1, ValueError),
        ("num_samples", 1.5, TypeError),
        ("seed", -1, ValueError),
        ("num_columns", 0, ValueError),
        ("num_columns", True, TypeError),
        ("dtype", "int32", TypeError),
        ("dtype", "floating", TypeError),
        ("limits", 0.0, ValueError),
        ("limits", (1.0, 1.0), ValueError),
        ("limits", (0.0, 1.0, 2.0), ValueError),
        ("limits", ((0.0, 1.0), (1.0, 0.0)), ValueError),
        ("limits", (0.0, np.inf), ValueError),
        ("limits", "wide", TypeError),
    ],
)
def test_bad_settings_of_a_mesh(name, value, error):
    with pytest.raises(error, match=f"^{name}: expected .*received {re.escape(repr(value))}$"):
        plotting.transformed_mesh({"a": identity}, **{name: value})


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="num_samples: expected a positive number"):
        plotting.transformed_mesh({"a": identity}, num_lines=0, num_samples=0)


# Files.


@pytest.fixture
def figure():
    return plotting.image_grid(IMAGES)


@pytest.mark.parametrize(
    ("ending", "start"),
    [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")],
)
def test_save_makes_the_folder_and_the_format(figure, tmp_path, ending, start):
    path = tmp_path / "new" / "folder" / f"picture.{ending}"
    assert plotting.save(figure, str(path)) == path
    assert path.read_bytes().startswith(start)
    assert names_in(path.parent) == [path.name]


def test_save_has_the_resolution(figure, tmp_path):
    for dpi in (50, 120):
        with Image.open(plotting.save(figure, tmp_path / "a.png", dpi)) as image:
            assert image.size == pytest.approx(figure.get_size_inches() * dpi, abs=1.0)


def test_save_reduces_colours(tmp_path):
    figure = plotting.density_grid(normal_log_prob)
    sizes, pictures = [], []
    for num_colours in (None, 16):
        path = plotting.save(figure, tmp_path / "a.png", 100, num_colours=num_colours)
        sizes.append(path.stat().st_size)
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB")).astype(int))
            assert image.info["dpi"] == pytest.approx((100, 100), abs=0.1)
    assert sizes[1] < sizes[0] / 2
    assert len(np.unique(pictures[1].reshape(-1, 3), axis=0)) == 16
    assert np.abs(pictures[1] - pictures[0]).mean() < 5.0
    assert (pictures[1][pictures[0].min(axis=-1) == 255] == 255).all()
    for num_colours, name in ((1, "a.png"), (257, "a.png"), (16, "a.pdf")):
        with pytest.raises(ValueError, match=f"num_colours: .*received {num_colours}"):
            plotting.save(figure, tmp_path / name, num_colours=num_colours)
    assert names_in(tmp_path) == ["a.png"]


def test_save_leaves_the_older_picture_until_the_new_one_is_complete(figure, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"older")
    replace, seen = pathlib.Path.replace, []

    def interrupted(self, target):
        seen.append((self.parent, self.read_bytes()[:4], path.read_bytes()))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", interrupted)
    with pytest.raises(ValueError, match=r"path: .*a\.png.*No space left on device"):
        plotting.save(figure, path)
    assert seen == [(tmp_path, b"\x89PNG", b"older")]
    assert (names_in(tmp_path), path.read_bytes()) == (["a.png"], b"older")
    monkeypatch.setattr(pathlib.Path, "replace", replace)

    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plotting.save(figure, path)
    assert (names_in(tmp_path), path.read_bytes()) == (["a.png"], b"older")
    monkeypatch.undo()

    plotting.save(figure, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_says_where_it_cannot_write(figure, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        with pytest.raises(ValueError, match=f"^path: .*{re.escape(repr(str(path)))}"):
            plotting.save(figure, path)
    assert names_in(tmp_path) == ["file", "folder.png"]
    assert names_in(tmp_path / "folder.png") == []


# The example.


def run_example(*arguments):
    command = [sys.executable, ROOT / "examples" / "planar_and_radial.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_example_draws_ten_planar_and_ten_radial_transforms(tmp_path):
    run = run_example("--quick", "--output", tmp_path / "pictures")
    assert (run.returncode, run.stderr) == (0, "")
    paths = [tmp_path / "pictures" / name for name in ("planar.png", "radial.png")]
    assert run.stdout.splitlines() == [str(path) for path in paths]
    assert names_in(tmp_path / "pictures") == ["planar.png", "radial.png"]
    for path in paths:
        with Image.open(path) as image:
            assert image.size[0] == 1275


def test_example_refuses_a_folder_that_it_cannot_write_to(tmp_path):
    (tmp_path / "file").write_text("")
    run = run_example("--output", tmp_path / "file" / "pictures")
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr
    last = run.stderr.splitlines()[-1]
    assert "--output: expected a folder that can be written to" in last
    assert str(tmp_path / "file" / "pictures") in last


def test_gallery_fits_a_readme():
    for name in ("planar.png", "radial.png"):
        path = ROOT / "examples" / "gallery" / name
        assert path.stat().st_size < 250_000
        with Image.open(path) as image:
            assert image.size[0] == 1275
