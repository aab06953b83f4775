"""KL divergences from draws, against closed forms."""

import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import diagnostics, flows

tfd = tfp.distributions


def test_kl_of_gaussians():
    q = tfd.MultivariateNormalDiag([0.0, 1.0], [1.0, 2.0])
    p = tfd.MultivariateNormalDiag([0.5, 0.0], [1.5, 1.0])
    kl = diagnostics.sampled_kl(q, p.log_prob, 20_000, seed=[0, 1])
    assert 0.0 < kl.standard_error < 0.05
    assert kl.value == pytest.approx(float(tfd.kl_divergence(q, p)), abs=4 * kl.standard_error)
    # The error is that of a mean: a fourth of the draws doubles it.
    fewer = diagnostics.sampled_kl(q, p.log_prob, 5000, seed=[0, 1])
    assert fewer.standard_error == pytest.approx(2.0 * kl.standard_error, rel=0.1)


def test_kl_of_a_flow_from_itself_is_zero():
    flow = flows.real_nvp(2, num_layers=2, hidden_units=[4], seed=0)
    kl = diagnostics.sampled_kl(flow, flow.log_prob, 10)
    assert kl == pytest.approx((0.0, 0.0), abs=1e-5)


def test_kl_refuses():
    q = tfd.Normal(0.0, 1.0)
    with pytest.raises(ValueError, match="`num_samples`: expected at least 1"):
        diagnostics.sampled_kl(q, q.log_prob, 0)
    with pytest.raises(ValueError, match=r"`target_log_prob_fn`: .* received the shape \(\)"):
        diagnostics.sampled_kl(q, lambda z: tf.reduce_sum(z), 3)
