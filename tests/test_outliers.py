"""Scores of outliers, and the images that they judge."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from tfp_flows.datasets import mutate, photographs, plain_images, spoiled
from tfp_flows.diagnostics import auroc, likelihood_ratio, typicality


def test_typicality_sees_the_mode_of_a_gaussian_and_the_likelihood_does_not():
    """Events near the mode have a higher density than all draws, and are none."""
    rng = np.random.default_rng(0)
    draws, others = rng.normal(size=[500, 64]), 0.5 * rng.normal(size=[500, 64])
    nats = [scipy.stats.norm.logpdf(x).sum(axis=1) for x in (draws, others)]
    is_other = np.repeat([0, 1], 500)
    entropy = 32.0 * np.log(2.0 * np.pi * np.e)
    reference = np.full(3, -entropy)
    assert roc_auc_score(is_other, -np.concatenate(nats)) < 0.01
    assert roc_auc_score(is_other, typicality(np.concatenate(nats), reference)) > 0.99
    np.testing.assert_allclose(typicality([-entropy - 2.0, 3.0 - entropy], reference), [2.0, 3.0])


def test_likelihood_ratio_cancels_the_background():
    """One element has meaning, 63 have none: only the ratio looks at the first one alone."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[2, 500, 64])
    y[:, 0] += 4.0
    y[:, 1:] *= 0.9

    def log_prob(x):
        return scipy.stats.norm.logpdf(x).sum(axis=1)

    def background(x):
        return log_prob(x[:, 1:]) + scipy.stats.norm.logpdf(x[:, 0], 0.0, 4.0)

    events, is_other = np.concatenate([x, y]), np.repeat([0, 1], 500)
    assert roc_auc_score(is_other, -log_prob(events)) < 0.7
    score = likelihood_ratio(log_prob(events), background(events))
    assert roc_auc_score(is_other, score) > 0.97


def test_auroc_is_that_of_scikit_learn():
    """With ties, which count half, and for sets of different sizes."""
    rng = np.random.default_rng(0)
    own, others = rng.integers(10, size=300), 2 + rng.integers(10, size=200)
    expected = roc_auc_score(np.repeat([0, 1], [300, 200]), np.concatenate([own, others]))
    assert auroc(own, others) == pytest.approx(expected, abs=1e-12)
    assert auroc([0.0], [1.0, 2.0]) == 1.0


def test_mutation():
    images = np.full([400, 8, 8, 1], 3, np.uint8)
    mutated = mutate(images, rate=0.25, num_levels=17, seed=0)
    assert mutated.dtype == np.uint8
    changed = (mutated != 3).mean()
    assert abs(changed - 0.25 * 16 / 17) < 0.01
    levels = np.bincount(mutated[mutated != 3], minlength=17)
    assert levels[3] == 0
    assert scipy.stats.chisquare(np.delete(levels, 3)).pvalue > 1e-3
    np.testing.assert_array_equal(mutated, mutate(images, 0.25, 17, seed=0))
    np.testing.assert_array_equal(mutate(images, 0.0, 17, seed=0), images)


def test_spoiled_images():
    images = np.random.default_rng(0).integers(17, size=[6, 8, 8, 1]).astype(np.uint8)
    sets = spoiled(images, 17, seed=0)
    np.testing.assert_array_equal(sets["upside down"][:, 0], images[:, -1])
    np.testing.assert_array_equal(sets["inverted"] + images, np.full_like(images, 16))
    assert sets["low contrast"].max() == 12
    order = [np.sort(x.reshape([6, -1]), axis=1) for x in (images, sets["shuffled pixels"])]
    np.testing.assert_array_equal(*order)
    assert np.any(sets["shuffled pixels"] != images)
    assert np.all(2 * sets["blends"].astype(int) >= images.astype(int) - 1)
    assert all(x.dtype == np.uint8 and x.shape == images.shape for x in sets.values())


def test_plain_images():
    sets = plain_images(50, [6, 8, 3], 17, seed=0)
    assert all(x.shape == (50, 6, 8, 3) for x in sets.values())
    assert all(x.min() >= 0 and x.max() <= 16 for x in sets.values())
    assert np.all(sets["constant"] == sets["constant"][:, :1, :1, :1])
    assert len(np.unique(sets["constant"])) > 8
    # Ramps are level along one direction: second differences are those of rounding.
    for axis in (1, 2):
        assert np.abs(np.diff(sets["ramps"], 2, axis=axis)).max() <= 2
    assert np.abs(np.diff(sets["ramps"], axis=2)).max() >= 1
    assert scipy.stats.chisquare(np.bincount(sets["noise"].ravel(), minlength=17)).pvalue > 1e-3


def test_photographs():
    train, test = (photographs(200, split, seed=0) for split in ("train", "test"))
    for patches in (train, test):
        assert patches.dtype == np.uint8
        assert patches.shape == (200, 8, 8, 1)
        assert patches.max() <= 16
        assert len(np.unique(patches)) == 17
        # Photographs are smooth: neighbours differ far less than pixels of different patches.
        near = np.abs(np.diff(patches.astype(int), axis=2)).mean()
        far = np.abs(patches.astype(int) - patches[::-1]).mean()
        assert near < 0.3 * far
    np.testing.assert_array_equal(train, photographs(200, "train", seed=0))
    assert np.any(train != test)


BAD = {
    "nan": (lambda: typicality([np.nan], [1.0]), ValueError, "`log_prob`.*nan"),
    "no reference": (lambda: typicality([1.0], []), ValueError, "`reference_log_prob`"),
    "no scores": (lambda: auroc([], [1.0]), ValueError, "`scores`"),
    "no other scores": (lambda: auroc([1.0], []), ValueError, "`other_scores`"),
    "shapes": (
        lambda: likelihood_ratio([1.0], [1.0, 2.0]),
        ValueError,
        r"`background_log_prob`.*\(1,\).*\(2,\)",
    ),
    "rate": (lambda: mutate([1], 1.5, 17), ValueError, "rate.*1.5"),
    "floats": (lambda: mutate([0.5], 0.5, 17), TypeError, "images.*float64"),
    "values": (lambda: mutate([17], 0.5, 17), ValueError, "images.*0 to 16.*17"),
    "rank": (lambda: spoiled([1, 2], 17), ValueError, r"images.*\(2,\)"),
    "number": (lambda: plain_images(0, [8, 8, 1], 17), ValueError, "num_samples.*0"),
    "split": (lambda: photographs(1, "valid"), ValueError, "split.*'valid'"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input(bad):
    call, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        call()
