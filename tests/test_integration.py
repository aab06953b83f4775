"""The bijectors inside TFP's own machinery."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb, tfd = tfp.bijectors, tfp.distributions
EVENT_SIZE = 2


def bijectors():
    """One of each, away from the identity."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return tf.constant(0.7 * rng.normal(size=shape), tf.float32)

    network = tff.networks.MLP(1, 2, [8], zero_init_last=False, seed=0)
    for variable in network.variables:
        variable.assign(0.5 * variable)
    return {
        "planar": tff.bijectors.Planar(normal(2), normal(2), normal()),
        "planar_stack": tff.bijectors.PlanarStack(normal(4, 2), normal(4, 2), normal(4)),
        "radial": tff.bijectors.Radial(normal(2), 1.5, normal()),
        "radial_stack": tff.bijectors.RadialStack(normal(4, 2), tf.ones([4]), normal(4)),
        "coupling": tff.bijectors.Coupling(tff.transformers.Affine(), network, mask=[True, False]),
    }


NAMES = list(bijectors())


@pytest.fixture(params=NAMES)
def bijector(request):
    return bijectors()[request.param]


def test_chain_and_invert(bijector):
    x = tf.random.stateless_normal([6, 2], [0, 1])
    chain = tfb.Chain([tfb.Shift([1.0, 2.0]), bijector, tfb.Scale(2.0)])
    y = chain.forward(x)
    np.testing.assert_allclose(y - [1.0, 2.0], bijector.forward(2.0 * x), atol=1e-5)
    np.testing.assert_allclose(chain.inverse(tf.identity(y)), x, atol=1e-4)
    inverted = tfb.Invert(bijector)
    np.testing.assert_allclose(inverted.forward(x), bijector.inverse(tf.identity(x)), atol=1e-5)
    np.testing.assert_allclose(
        inverted.forward_log_det_jacobian(x, 1),
        bijector.inverse_log_det_jacobian(tf.identity(x), 1),
        atol=1e-5,
    )
    undone = tfb.Chain([tfb.Invert(bijector), bijector])
    np.testing.assert_allclose(undone.forward_log_det_jacobian(x, 1), np.zeros(6), atol=1e-4)


def test_transformed_distribution(bijector):
    base = tff.distributions.standard_normal(EVENT_SIZE)
    flow = tfd.TransformedDistribution(base, bijector)
    y, log_prob = flow.experimental_sample_and_log_prob([3, 4], seed=1)
    assert y.shape == [3, 4, 2]
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, atol=1e-4)
    assert (
        tfd.Independent(tfd.TransformedDistribution(tfd.BatchBroadcast(base, [5]), bijector), 1)
        .log_prob(tf.zeros([5, 2]))
        .shape
        == []
    )


def test_joint_distribution(bijector):
    """A flow as the prior of a hierarchical model."""
    joint = tfd.JointDistributionSequential(
        [
            tfd.TransformedDistribution(tff.distributions.standard_normal(EVENT_SIZE), bijector),
            lambda z: tfd.Independent(tfd.Normal(z, 0.5), 1),
        ]
    )
    z, x = joint.sample(3, seed=1)
    prior = joint.model[0]
    expected = prior.log_prob(tf.identity(z)) + tfd.Independent(tfd.Normal(z, 0.5), 1).log_prob(x)
    np.testing.assert_allclose(joint.log_prob([tf.identity(z), x]), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["planar_stack", "radial_stack", "coupling"])
def test_transformed_transition_kernel(name):
    """HMC in the base space of a flow leaves the target's moments right."""
    target = tfd.MultivariateNormalTriL([1.0, -1.0], [[1.0, 0.0], [0.8, 0.6]])
    kernel = tfp.mcmc.TransformedTransitionKernel(
        tfp.mcmc.HamiltonianMonteCarlo(target.log_prob, step_size=0.35, num_leapfrog_steps=4),
        bijectors()[name],
    )

    @tf.function(autograph=False)
    def run():
        return tfp.mcmc.sample_chain(
            250,
            current_state=tf.zeros([40, 2]),
            kernel=kernel,
            num_burnin_steps=100,
            trace_fn=lambda _, results: results.inner_results.is_accepted,
            seed=[1, 2],
        )

    samples, accepted = run()
    assert np.mean(accepted) > 0.6
    samples = samples.numpy().reshape(-1, 2)
    np.testing.assert_allclose(samples.mean(0), [1.0, -1.0], atol=0.15)
    np.testing.assert_allclose(np.cov(samples.T), [[1.0, 0.8], [0.8, 1.0]], atol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["planar", "radial", "nice", "real_nvp"])
def test_fit_surrogate_posterior(recipe):
    """Variational inference by TFP's own loop: the evidence bound improves towards its limit, 0."""
    target = tfd.MultivariateNormalTriL([0.5, -0.5], [[1.0, 0.0], [0.6, 0.8]])
    surrogate = getattr(tff.flows, recipe)(2, num_layers=4, seed=0)
    losses = tfp.vi.fit_surrogate_posterior(
        target.log_prob,
        surrogate,
        optimizer=tf.optimizers.Adam(0.02),
        num_steps=120,
        sample_size=64,
        seed=1,
    ).numpy()
    assert np.all(np.isfinite(losses))
    assert losses[-20:].mean() < 0.5 * losses[:10].mean()
    assert losses[-20:].mean() < 0.25


def test_composite_tensors():
    """Layers without variables of their own pass in and out of `tf.function`, as TFP's do."""
    for name in ("planar", "planar_stack", "radial", "radial_stack"):
        made = bijectors()[name]
        through = tf.function(lambda b: b, autograph=False)(made)
        x = tf.random.stateless_normal([4, 2], [0, 1])
        np.testing.assert_allclose(through.forward(x), made.forward(x), atol=1e-6)


def test_trainable_parameters_stay_in_their_domain():
    """What `tfp.experimental.util.make_trainable` reads: shapes and constraints of parameters."""
    for make in (tff.bijectors.Radial, tff.bijectors.RadialStack):
        alpha = make.parameter_properties(dtype=tf.float32)["alpha"]
        assert float(alpha.default_constraining_bijector_fn().forward(-100.0)) > 0.0
    for make, sizes in (
        (tff.bijectors.Planar, {"w": [4, 3], "u": [4, 3], "b": [4]}),
        (tff.bijectors.Radial, {"center": [4, 3], "alpha": [4], "beta": [4]}),
    ):
        for name, properties in make.parameter_properties(dtype=tf.float32).items():
            assert list(properties.shape_fn([4, 3])) == sizes[name]


def test_batch_members_get_their_own_noise():
    """A batch of transforms on one base: TFP knows the batch shape, and draws for each."""
    flow = tfd.TransformedDistribution(
        tff.distributions.standard_normal(2),
        tff.bijectors.Planar(tf.ones([3, 2]), tf.ones([3, 2]), tf.zeros([3])),
    )
    assert flow.batch_shape == [3]
    y = flow.sample(seed=1)
    assert y.shape == [3, 2]
    assert not np.allclose(y[0], y[1])
    assert flow[1].sample(seed=1).shape == [2]
