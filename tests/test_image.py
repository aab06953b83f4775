"""Flows of images: squeezing, masks, convolutions, the multiscale structure and the recipes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.bijectors import (
    Multiscale,
    Squeeze,
    alternating_mask,
    channel_mask,
    checkerboard_mask,
)
from tfp_flows.flows import glow, initialize, real_nvp_image
from tfp_flows.networks import Conv2D, GatedResidualNetwork

tfb, tfd = tfp.bijectors, tfp.distributions
AFFINE = tff.transformers.Affine()
RECIPES = {"glow": glow, "real_nvp_image": real_nvp_image}
SMALL = {"hidden_channels": 4, "num_levels": 2, "seed": 0}
# One layer of each kind.
SHORT = {"glow": {"num_steps": 1}, "real_nvp_image": {"num_couplings": 1}}


def make(name, image_shape, **settings):
    return RECIPES[name](image_shape, **SMALL | SHORT[name] | settings)


def normal(*shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=shape)


def perturb(module, scale=0.1, seed=1):
    """Moves every variable away from its start, where a flow is close to the identity."""
    rng = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign_add(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))


# Squeezing and masks.


@pytest.mark.parametrize(("shape", "block"), [((4, 6, 1), 2), ((2, 4, 3), 2), ((6, 3, 2), 3)])
def test_squeeze_against_loop(shape, block):
    offsets = [(i, j) for i in range(block) for j in range(block)]
    offsets.sort(key=lambda offset: sum(offset) % 2)
    if block == 2:
        assert offsets == [(0, 0), (1, 1), (0, 1), (1, 0)]
    x = normal(2, *shape)
    height, width, channels = shape
    expected = np.zeros([2, height // block, width // block, block**2 * channels])
    for i, j in np.ndindex(height // block, width // block):
        for k, (di, dj) in enumerate(offsets):
            for c in range(channels):
                expected[:, i, j, k * channels + c] = x[:, block * i + di, block * j + dj, c]
    squeeze = Squeeze(shape, block)
    y = squeeze.forward(x)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(squeeze.inverse(tf.identity(y)), x)
    # The same numbers as TensorFlow's, in other channels.
    stock = tf.nn.space_to_depth(x, block).numpy()
    np.testing.assert_array_equal(np.sort(y, axis=-1), np.sort(stock, axis=-1))


def test_squeezed_checkerboard_is_a_channel_mask():
    for parity in (0, 1):
        board = checkerboard_mask([4, 6, 3], parity).astype(np.float32)
        np.testing.assert_array_equal(
            Squeeze([4, 6, 3]).forward(board), channel_mask([2, 3, 12], parity)
        )


def test_squeeze_tells_its_shapes():
    squeeze = Squeeze([4, 6, 3])
    assert squeeze.forward_event_shape([4, 6, 3]) == [2, 3, 12]
    assert squeeze.inverse_event_shape([2, 3, 12]) == [4, 6, 3]
    assert squeeze.forward_event_shape([7, 4, 6, 3]) == [7, 2, 3, 12]
    np.testing.assert_array_equal(squeeze.forward_event_shape_tensor([4, 6, 3]), [2, 3, 12])
    np.testing.assert_array_equal(squeeze.inverse_event_shape_tensor([5, 2, 3, 12]), [5, 4, 6, 3])
    with pytest.raises(ValueError, match=r"`x`: expected event shape \(4, 6, 3\).*\(5, 6, 3\)"):
        squeeze.forward_event_shape([5, 6, 3])
    # A distribution of images on one of squeezed ones keeps its entropy: nothing is stretched.
    base = tfd.Sample(tfd.Normal(0.0, 1.0), [2, 3, 12])
    flow = tfd.TransformedDistribution(base, tfb.Invert(squeeze))
    assert flow.event_shape == [4, 6, 3]
    np.testing.assert_allclose(flow.entropy(), base.entropy())


def test_masks():
    t, f = True, False
    np.testing.assert_array_equal(checkerboard_mask([2, 3, 1])[..., 0], [[t, f, t], [f, t, f]])
    np.testing.assert_array_equal(channel_mask([1, 1, 5])[0, 0], [t, t, f, f, f])
    np.testing.assert_array_equal(channel_mask([3], 1), [f, t, t])
    np.testing.assert_array_equal(alternating_mask(5), [t, f, t, f, t])
    masks = (checkerboard_mask, [2, 2, 2]), (channel_mask, [2, 2, 2]), (alternating_mask, 4)
    for make, shape in masks:
        assert make(shape).dtype == np.bool_
        np.testing.assert_array_equal(make(shape, 1), ~make(shape, 0))


BAD_SHAPES = {
    "rank": (lambda: checkerboard_mask([4, 4]), ValueError, "`event_shape`", "[4, 4]"),
    "one position": (
        lambda: checkerboard_mask([1, 1, 4]),
        ValueError,
        "two positions",
        "(1, 1, 4)",
    ),
    "one channel": (lambda: channel_mask([4, 4, 1]), ValueError, "two channels", "(4, 4, 1)"),
    "one element": (lambda: alternating_mask(1), ValueError, "`event_size`", "received 1"),
    "parity": (lambda: channel_mask([4], 2), ValueError, "`parity`", "received 2"),
    "parity type": (lambda: channel_mask([4], True), TypeError, "`parity`", "received True"),
    "no shape": (lambda: checkerboard_mask(4), TypeError, "`event_shape`", "received 4"),
    "fraction": (lambda: Squeeze([4, 4.0, 1]), TypeError, "`event_shape`", "4.0"),
    "empty": (lambda: Squeeze([4, 0, 1]), ValueError, "`event_shape`", "[4, 0, 1]"),
    "unknown": (
        lambda: Squeeze(tf.TensorShape([None, 4, 1])),
        ValueError,
        "`event_shape`",
        "None",
    ),
    "odd": (lambda: Squeeze([4, 5, 1]), ValueError, "multiples", "received 4 and 5"),
    "block": (lambda: Squeeze([4, 4, 1], 0), ValueError, "`block_size`", "received 0"),
    "block type": (lambda: Squeeze([4, 4, 1], 2.0), TypeError, "`block_size`", "received 2.0"),
}


@pytest.mark.parametrize("bad", BAD_SHAPES)
def test_bad_shapes(bad):
    make, error, *parts = BAD_SHAPES[bad]
    with pytest.raises(error) as raised:
        make()
    for part in ("expected", *parts):
        assert part in str(raised.value)


# Convolutions.


@pytest.mark.parametrize("size", [1, 3])
def test_convolution_against_loop(size):
    conv = Conv2D(2, 3, kernel_size=size, seed=0, dtype=tf.float64)
    conv.bias.assign(normal(3, seed=2))
    x = normal(2, 4, 5, 2)
    reach = size // 2
    padded = np.pad(x, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    expected = np.zeros([2, 4, 5, 3]) + conv.bias.numpy()
    for i, j in np.ndindex(4, 5):
        patch = padded[:, i : i + size, j : j + size]
        expected[:, i, j] += np.einsum("nabc,abcd->nd", patch, conv.kernel.numpy())
    np.testing.assert_allclose(conv(tf.constant(x)), expected, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
def test_convolution_takes_any_batch_shape(size):
    conv = Conv2D(2, 3, kernel_size=size, seed=0)
    x = tf.constant(normal(2, 5, 4, 4, 2), tf.float32)
    with tf.GradientTape() as tape:
        empty = conv(x[:0])
        loss = tf.reduce_sum(empty)
    assert empty.shape == [0, 5, 4, 4, 3]
    np.testing.assert_array_equal(tape.gradient(loss, conv.kernel), tf.zeros_like(conv.kernel))
    y = conv(x)
    assert y.shape == [2, 5, 4, 4, 3]
    np.testing.assert_allclose(y[1, 2], conv(x[1, 2]), atol=1e-6)
    traced = tf.function(conv, input_signature=[tf.TensorSpec([None, None, 4, 4, 2])])
    np.testing.assert_allclose(traced(x), y, atol=1e-6)
    assert traced.get_concrete_function().output_shapes.as_list() == [None, None, 4, 4, 3]


def test_gated_network_starts_at_zero_and_all_variables_learn():
    network = GatedResidualNetwork(2, 6, 5, num_blocks=2, context_size=3, seed=0)
    x, context = (tf.constant(normal(*s), tf.float32) for s in ([4, 3, 3, 2], [4, 3]))
    assert (network.input_size, network.output_size, network.context_size) == (2, 6, 3)
    np.testing.assert_array_equal(network(x, context), np.zeros([4, 3, 3, 6]))
    perturb(network)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(network(x, context)))
    for variable, gradient in zip(
        network.variables, tape.gradient(loss, network.variables), strict=True
    ):
        assert np.any(gradient.numpy() != 0.0), variable.name


def test_gated_network_against_its_formula():
    network = GatedResidualNetwork(
        2, 3, 4, 1, activation="tanh", zero_init_last=False, seed=0, dtype=tf.float64
    )
    convs = {v.name.split(":")[0]: v.numpy() for v in network.variables}

    def conv(h, part):
        kernel = convs[f"gated_residual_network_{part}_kernel"]
        h = tf.nn.conv2d(h, kernel, 1, "SAME").numpy()
        return h + convs[f"gated_residual_network_{part}_bias"]

    perturb(network)
    convs = {v.name.split(":")[0]: v.numpy() for v in network.variables}
    x = normal(2, 3, 3, 2)
    h = conv(x, "first")
    a, b = np.split(conv(np.tanh(conv(np.tanh(h), "block_0")), "gate_0"), 2, axis=-1)
    expected = conv(np.tanh(h + a / (1.0 + np.exp(-b))), "last")
    np.testing.assert_allclose(network(tf.constant(x)), expected, atol=1e-12)


def test_gated_network_sees_as_far_as_it_says():
    network = GatedResidualNetwork(1, 1, 4, num_blocks=1, zero_init_last=False, seed=0)
    x = tf.Variable(normal(1, 9, 9, 1).astype(np.float32))
    with tf.GradientTape() as tape:
        y = network(x)[0, 4, 4, 0]
    seen = np.nonzero(tape.gradient(y, x).numpy()[0, :, :, 0])
    assert all(axis.min() == 1 and axis.max() == 7 for axis in seen)  # 3 = 2 + 1 on each side


def test_context_of_gated_network():
    """Contexts are a bias of the first layer, and broadcast with the images."""
    network = GatedResidualNetwork(2, 3, 4, zero_init_last=False, context_size=2, seed=0)
    x, context = (tf.constant(normal(*s), tf.float32) for s in ([5, 1, 3, 3, 2], [4, 2]))
    y = network(x, context)
    assert y.shape == [5, 4, 3, 3, 3]
    np.testing.assert_allclose(y[1, 2], network(x[1, 0], context[2]), atol=1e-5)
    assert not np.allclose(y[1, 2], y[1, 3])
    with pytest.raises(ValueError, match=r"`context`: expected.*received None"):
        network(x)
    with pytest.raises(ValueError, match=r"`context`: expected None"):
        GatedResidualNetwork(2, 3)(x, context)


BAD_NETWORKS = {
    "input_size": (lambda: Conv2D(0, 1), ValueError, "received 0"),
    "kernel_size": (lambda: Conv2D(1, 1, kernel_size=2.5), TypeError, "received 2.5"),
    "num_blocks": (lambda: GatedResidualNetwork(1, 1, num_blocks=-1), ValueError, "received -1"),
    "hidden_channels": (lambda: GatedResidualNetwork(1, 1, 0), ValueError, "received 0"),
    "activation": (lambda: GatedResidualNetwork(1, 1, activation="no"), ValueError, "'no'"),
    "x": (lambda: Conv2D(2, 1)(tf.ones([4, 4, 3])), ValueError, "(4, 4, 3)"),
}


@pytest.mark.parametrize("argument", BAD_NETWORKS)
def test_bad_networks(argument):
    make, error, received = BAD_NETWORKS[argument]
    with pytest.raises(error, match=rf"`{argument}`: expected") as raised:
        make()
    assert received in str(raised.value)


# The multiscale structure.


def two_levels(levels=None):
    """4 x 2 x 1 images: a squeeze to 2 x 1 x 4 and a scale, then another scale on two channels."""
    first = tfb.Chain([tfb.Invert(Squeeze([4, 2, 1])), tfb.Scale([1.0, 2.0, 3.0, 4.0])])
    return Multiscale(levels or [first, tfb.Scale([10.0, 20.0])], [4, 2, 1])


def test_multiscale_by_hand():
    multiscale = two_levels()
    assert multiscale.latent_shapes == ((2, 1, 2), (2, 1, 2))
    fine = np.array([[[1.0, 2.0]], [[3.0, 4.0]]], np.float32)
    coarse = np.array([[[5.0, 6.0]], [[7.0, 8.0]]], np.float32)
    # Channels of the squeezed image: the coarse latents times (1 * 10, 2 * 20), the fine times
    # (3, 4), which stand at the offsets (0, 0), (1, 1), (0, 1), (1, 0) of two blocks.
    expected = [[50.0, 3.0], [8.0, 240.0], [70.0, 9.0], [16.0, 320.0]]
    y = multiscale.from_latents([fine, coarse])
    np.testing.assert_allclose(y[..., 0], expected)
    log_det = 2 * np.log(10.0 * 20.0 * 24.0)
    x = multiscale.join([fine, coarse])
    np.testing.assert_array_equal(x, np.arange(1.0, 9.0))
    np.testing.assert_allclose(multiscale.forward_log_det_jacobian(x), log_det, rtol=1e-6)
    np.testing.assert_allclose(
        multiscale.inverse_log_det_jacobian(tf.identity(y)), -log_det, rtol=1e-6
    )
    for latent, given in zip(multiscale.latents(tf.identity(y)), (fine, coarse), strict=True):
        np.testing.assert_allclose(latent, given, rtol=1e-6)


def test_latents_broadcast():
    multiscale = two_levels()
    fine, coarse = (tf.constant(normal(n, 2, 1, 2), tf.float32) for n in (3, 1))
    assert multiscale.from_latents([fine, coarse[0]]).shape == [3, 4, 2, 1]
    y = multiscale.from_latents([fine[:, tf.newaxis], coarse])
    np.testing.assert_allclose(y[:, 0], multiscale.from_latents([fine, coarse[0]]))


class Counting:
    """A conditioner that counts how often it runs."""

    def __init__(self, output_size):
        self.kernel = tf.Variable(normal(2, output_size).astype(np.float32))
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return tf.tensordot(x, self.kernel, axes=1)


USES = {
    "log_prob": lambda flow: flow.log_prob(tf.ones([3, 4, 2, 1])),
    "sample": lambda flow: flow.sample(3, seed=1),
    "sample_and_log_prob": lambda flow: flow.experimental_sample_and_log_prob(3, seed=1),
    "latents": lambda flow: flow.bijector.latents(tf.ones([3, 4, 2, 1])),
}


@pytest.mark.parametrize(
    ("use", "traced"), [*((use, False) for use in USES), ("log_prob", True), ("sample", True)]
)
def test_conditioner_runs_once_a_layer(use, traced):
    conditioners = [Counting(4) for _ in range(3)]
    mask = channel_mask([2, 1, 4])
    first = [
        tff.bijectors.Coupling(AFFINE, c, mask, name=f"layer_{i}")
        for i, c in enumerate(conditioners[:2])
    ]
    last = tff.bijectors.Coupling(AFFINE, conditioners[2], checkerboard_mask([2, 1, 2]))
    chain = tfb.Chain([tfb.Invert(Squeeze([4, 2, 1])), *first])
    multiscale = two_levels([chain, last])
    assert len(multiscale.trainable_variables) == 3
    flow = tfd.TransformedDistribution(tff.distributions.standard_normal(8), multiscale)
    call = tf.function(USES[use]) if traced else USES[use]
    call(flow)
    assert [c.calls for c in conditioners] == [1, 1, 1]


SCALE = tfb.Scale(tf.constant(2.0))
BAD_LEVELS = {
    "no level": ([], ValueError, "at least one"),
    "no list": (SCALE, TypeError, "list of tfb.Bijector"),
    "no bijectors": ([3], TypeError, "received [3]"),
    "one channel": ([SCALE, SCALE], ValueError, "two channels"),
    "no images": ([tfb.Reshape([4, 2, 1], [8])], ValueError, "from images to images"),
    "dtypes": (
        [tfb.Invert(Squeeze([4, 2, 1], dtype=tf.float64)), SCALE],
        TypeError,
        "float32, float64",
    ),
}


@pytest.mark.parametrize("bad", BAD_LEVELS)
def test_bad_levels(bad):
    levels, error, part = BAD_LEVELS[bad]
    with pytest.raises(error) as raised:
        Multiscale(levels, [4, 2, 1])
    assert "`levels`: expected" in str(raised.value)
    assert part in str(raised.value)


def test_bad_latents():
    with pytest.raises(ValueError, match=r"`latents`: expected 2 tensors.*received 1"):
        two_levels().from_latents([tf.ones([2, 1, 2])])
    with pytest.raises(ValueError, match=r"`latents\[1\]`: expected.*\(2, 1, 2\).*\(2, 1, 3\)"):
        two_levels().join([tf.ones([2, 1, 2]), tf.ones([2, 1, 3])])


# The recipes.


LONGER = {"glow": {"num_steps": 2}, "real_nvp_image": {"num_couplings": 2}}


@pytest.mark.parametrize("name", RECIPES)
def test_density_is_that_of_the_samples(name):
    """Change of variables, taken apart: base density of the latents minus the autodiff log-det."""
    flow = make(name, [4, 4, 1], dtype=tf.float64, **LONGER[name])
    perturb(flow)
    assert flow.event_shape == [4, 4, 1]
    assert flow.batch_shape == []
    y, log_prob = flow.experimental_sample_and_log_prob(3, seed=2)
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, rtol=1e-9)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        x = flow.bijector.inverse(tf.identity(y))
    jacobian = tape.batch_jacobian(x, y, experimental_use_pfor=False)
    jacobian = tf.reshape(jacobian, [3, 16, 16])
    expected = flow.distribution.log_prob(x).numpy() + np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_prob, expected, rtol=1e-9)


@pytest.mark.parametrize("name", RECIPES)
def test_starts_as_the_base_and_all_variables_learn(name):
    """Rotations of the channels keep a standard normal what it is, and all else is the identity."""
    flow = make(name, [4, 4, 2])
    x = tf.constant(normal(4, 4, 4, 2), tf.float32)
    base = tfd.Sample(tfd.Normal(0.0, 1.0), [4, 4, 2])
    np.testing.assert_allclose(flow.log_prob(x), base.log_prob(x), rtol=1e-5)
    perturb(flow)
    variables = flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(x))
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.all(np.isfinite(gradient)), variable.name
        assert np.any(gradient.numpy() != 0.0), variable.name


@pytest.mark.parametrize("name", RECIPES)
def test_latents_by_scale(name):
    flow = make(name, [8, 8, 1])
    perturb(flow)
    shapes = {"glow": [(4, 4, 2), (2, 2, 8)], "real_nvp_image": [(4, 4, 2), (4, 4, 2)]}[name]
    assert flow.bijector.latent_shapes == tuple(shapes)
    y = flow.sample(3, seed=1)
    latents = flow.bijector.latents(tf.identity(y))
    assert [latent.shape for latent in latents] == [(3, *shape) for shape in shapes]
    np.testing.assert_allclose(flow.bijector.from_latents(latents), y, atol=1e-4)
    # The base scores them, and together with the log-det that is the density.
    x = flow.bijector.join(latents)
    log_det = flow.bijector.forward_log_det_jacobian(tf.identity(x))
    np.testing.assert_allclose(
        flow.log_prob(tf.identity(y)), flow.distribution.log_prob(x) - log_det, rtol=1e-5
    )


DEFAULT_LEVELS = {"glow": {8: 2, 28: 2, 32: 3, 2: 1}, "real_nvp_image": {8: 3, 28: 3, 32: 3, 2: 1}}


@pytest.mark.parametrize("name", RECIPES)
def test_default_number_of_levels(name):
    for size, expected in DEFAULT_LEVELS[name].items():
        flow = RECIPES[name]([size, size, 1], hidden_channels=1, num_blocks=0)
        assert len(flow.bijector.levels) == expected, size


@pytest.mark.parametrize("name", RECIPES)
def test_context(name):
    """One distribution a context: its batch shape, its own draws, its own density."""
    conditional = make(name, [4, 4, 1], context_size=3)
    perturb(conditional)
    assert isinstance(conditional, tff.distributions.ConditionalDistribution)
    assert conditional.event_shape == [4, 4, 1]
    context = tf.constant(normal(2, 3), tf.float32)
    flow = conditional(context)
    assert flow.batch_shape == [2]
    assert flow.event_shape == [4, 4, 1]
    y, log_prob = flow.experimental_sample_and_log_prob(2, seed=1)
    assert y.shape == [2, 2, 4, 4, 1]
    for i in range(2):
        alone = conditional(context[i]).log_prob(y[:, i])
        np.testing.assert_allclose(alone, log_prob[:, i], rtol=1e-4)
    assert not np.allclose(flow.log_prob(y[0, 0])[0], flow.log_prob(y[0, 0])[1])
    same = conditional(tf.ones([2, 3])).sample(seed=3)
    assert not np.allclose(same[0], same[1])
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(conditional(context).log_prob(tf.identity(y)))
    for variable, gradient in zip(
        conditional.trainable_variables,
        tape.gradient(loss, conditional.trainable_variables),
        strict=True,
    ):
        assert np.any(gradient.numpy() != 0.0), variable.name


@pytest.mark.parametrize("name", RECIPES)
def test_given_transformer_base_and_seed(name):
    base = tfd.MultivariateNormalDiag(tf.Variable(tf.ones([16])), name="learned_base")
    transformer = tff.transformers.Additive()
    settings = {"base": base, "transformer": transformer}
    first, again = (make(name, [4, 4, 1], **settings) for _ in range(2))
    assert first.distribution is base
    assert any(v is base.loc for v in first.trainable_variables)
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    couplings = [m for m in first.submodules if isinstance(m, tff.bijectors.Coupling)]
    assert transformer in [coupling.transformer for coupling in couplings]


@pytest.mark.parametrize("learned_prior", [True, False])
def test_learned_prior_of_glow(learned_prior):
    """One affine coupling beside the split: its channels that are moved are the level's latents."""
    additive = tff.transformers.Additive()
    flow = make("glow", [4, 4, 1], transformer=additive, learned_prior=learned_prior)
    couplings = [m for m in flow.submodules if isinstance(m, tff.bijectors.Coupling)]
    priors = [coupling for coupling in couplings if coupling.transformer == AFFINE]
    assert len(couplings) - len(priors) == 2
    assert len(priors) == learned_prior
    for prior in priors:
        perturb(prior)
        latents = [tf.constant(normal(*shape), tf.float32) for shape in ((2, 2, 2), (1, 1, 8))]
        levels = [prior, *flow.bijector.levels[1:]]
        multiscale = Multiscale(levels, [2, 2, 4])
        # The channels that go on are the next level's alone, whatever the latents are.
        moved = multiscale.from_latents([latents[0] + 1.0, latents[1]])
        fixed = multiscale.from_latents(latents)
        np.testing.assert_array_equal(moved[..., :2], fixed[..., :2])
        assert not np.any(moved[..., 2:] == fixed[..., 2:])


@pytest.mark.parametrize("name", RECIPES)
def test_compiled_density(name):
    flow = make(name, [4, 4, 1], num_blocks=0)
    perturb(flow)
    x = tf.constant(normal(3, 4, 4, 1), tf.float32)
    compiled = tf.function(flow.log_prob, jit_compile=True)
    np.testing.assert_allclose(compiled(x), flow.log_prob(tf.identity(x)), rtol=1e-4)


@pytest.mark.parametrize("name", RECIPES)
def test_training_on_digits(name):
    images = next(iter(tff.datasets.load("digits", "train", batch_size=64, seed=0)))
    noise = np.random.default_rng(0).uniform(size=images.shape)
    x = (tf.cast(images, tf.float32) + noise) / 16.0
    flow = make(name, [8, 8, 1], num_blocks=0, num_levels={"glow": 1, "real_nvp_image": 2}[name])
    before = -tf.reduce_mean(flow.log_prob(x))
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    model.fit(x, batch_size=64, epochs=20, verbose=0)
    after = -tf.reduce_mean(flow.log_prob(tf.identity(x)))
    assert after < before - 5.0


def test_glow_is_initialized_from_data():
    flow = make("glow", [4, 4, 1], num_steps=2)
    x = tf.constant(3.0 + normal(1024, 4, 4, 1, scale=2.0), tf.float32)
    initialize(flow, x)
    norms = [m for m in flow.submodules if type(m).__name__ == "ActNorm"]
    assert len(norms) == 4
    assert all(np.any(norm.shift.numpy() != 0.0) for norm in norms)
    # With couplings at the identity and rotations between, all latents are normalized.
    for latent in flow.bijector.latents(x):
        np.testing.assert_allclose(tf.reduce_mean(latent, axis=[0, 1, 2]), 0.0, atol=1e-4)
        np.testing.assert_allclose(tf.math.reduce_mean(latent**2, axis=[0, 1, 2]), 1.0, atol=0.2)


BAD_SETTINGS = {
    "image rank": ({"image_shape": [4, 4]}, ValueError, "`image_shape`", "[4, 4]"),
    "image type": ({"image_shape": 16}, TypeError, "`image_shape`", "16"),
    "levels": ({"num_levels": 4}, ValueError, "`num_levels`", "received 4"),
    "no levels": ({"num_levels": 0}, ValueError, "`num_levels`", "received 0"),
    "levels type": ({"num_levels": 1.0}, TypeError, "`num_levels`", "received 1.0"),
    "hidden": ({"hidden_channels": 0}, ValueError, "`hidden_channels`", "received 0"),
    "blocks": ({"num_blocks": -1}, ValueError, "`num_blocks`", "received -1"),
    "transformer": ({"transformer": tfb.Exp()}, TypeError, "`transformer`", "Exp"),
    "activation": ({"activation": "nope"}, ValueError, "`activation`", "'nope'"),
    "context_size": ({"context_size": 0}, ValueError, "`context_size`", "received 0"),
    "dtype": ({"dtype": tf.int32}, TypeError, "`dtype`", "int32"),
    "base": (
        {"base": tff.distributions.standard_normal(4)},
        ValueError,
        "`base`",
        "received (4,)",
    ),
    "seed": ({"seed": "x"}, TypeError, "`seed`", "'x'"),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("bad", BAD_SETTINGS)
def test_bad_settings(name, bad):
    settings, error, argument, received = BAD_SETTINGS[bad]
    with pytest.raises(error) as raised:
        RECIPES[name](**{"image_shape": [4, 4, 1]} | settings)
    for part in (argument, "expected", received):
        assert part in str(raised.value)


def test_images_that_cannot_be_halved():
    with pytest.raises(ValueError, match=r"`image_shape`: expected an even.*\(7, 7, 1\)"):
        glow([7, 7, 1])
    with pytest.raises(ValueError, match=r"`num_levels`: expected at most 2.*28 x 28.*received 3"):
        glow([28, 28, 1], num_levels=3)
    with pytest.raises(ValueError, match=r"`num_levels`: expected at most 1.*7 x 7.*received 2"):
        real_nvp_image([7, 7, 1], num_levels=2)
    with pytest.raises(ValueError, match=r"`image_shape`: expected at least 2 positions"):
        real_nvp_image([1, 1, 4])
    for make, argument in ((glow, "num_steps"), (real_nvp_image, "num_couplings")):
        with pytest.raises(ValueError, match=rf"`{argument}`: expected at least 1, received 0"):
            make([4, 4, 1], None, 0)
