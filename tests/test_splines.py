"""Splines, bounded maps and learned marginals: what the contract does not say."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb, tfd = tfp.bijectors, tfp.distributions

SPLINES = {
    "line": tff.transformers.RationalQuadraticSpline(num_bins=8, bound=4.0),
    "circle": tff.transformers.CircularRationalQuadraticSpline(num_bins=8),
}


def _params(transformer, n, dtype, scale=1.0, seed=0):
    values = scale * np.random.default_rng(seed).normal(size=(n, transformer.num_params))
    return tf.constant(values, dtype)


def _knots(raw, bound=4.0, min_size=1e-3):
    """Widths or heights as the paper has them, with the least size of a bin."""
    sizes = np.exp(raw) / np.exp(raw).sum(axis=-1, keepdims=True)
    return 2.0 * bound * (min_size + (1.0 - raw.shape[-1] * min_size) * sizes)


def test_spline_equals_that_of_tfp():
    spline = SPLINES["line"]
    params = _params(spline, 500, tf.float64)
    x = tf.constant(np.random.default_rng(1).uniform(-5.0, 5.0, size=500))
    widths, heights, slopes = np.split(params.numpy(), [8, 16], axis=-1)
    softplus = np.log1p(np.exp(slopes + np.log(np.e - 1.0)))
    stock = tfb.RationalQuadraticSpline(
        _knots(widths), _knots(heights), 1e-3 + (1.0 - 1e-3) * softplus, range_min=-4.0
    )
    y, log_slope = spline.forward(x, params)
    np.testing.assert_allclose(y, stock.forward(x), atol=1e-11)
    np.testing.assert_allclose(log_slope, stock.forward_log_det_jacobian(x), atol=1e-11)


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("name", SPLINES)
def test_round_trip_is_as_good_as_rounding_allows(name, dtype, scale):
    """The spacing of floats at 4 is 4 units of rounding; a slope passes it on, or its inverse."""
    spline = SPLINES[name]
    params = _params(spline, 20_000, dtype, scale)
    x = tf.constant(np.random.default_rng(1).uniform(-3.1, 3.1, size=20_000), dtype)
    y, log_slope = spline.forward(x, params)
    error = np.abs(spline.inverse(y, params)[0] - x)
    error = np.minimum(error, np.abs(2.0 * np.pi - error))  # around the circle
    slope = np.minimum(1.0, np.exp(log_slope))
    unit = np.finfo(dtype.as_numpy_dtype).eps
    assert np.all(error * slope <= 40.0 * unit)
    assert np.max(error[slope > 0.05]) <= (1e-5 if dtype == tf.float32 else 2.5e-14)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
@pytest.mark.parametrize("name", SPLINES)
def test_points_beside_knots(name, jit_compile):
    """A sum in another order than the search's may put a knot on the point's other side."""
    spline = SPLINES[name]
    params = _params(spline, 200_000, tf.float32, 10.0)
    x = np.random.default_rng(1).uniform(-3.1, 3.1, size=200_000).astype("float32")

    @tf.function(jit_compile=jit_compile)
    def there_and_back(x, params):
        y, log_slope = spline.forward(x, params)
        return y, log_slope, *spline.inverse(y, params)

    assert np.all(np.isfinite(there_and_back(x, params)))


@pytest.mark.parametrize("name", SPLINES)
def test_gradients_are_finite_on_knots_and_at_the_ends(name):
    spline = SPLINES[name]
    bound = 4.0 if name == "line" else np.pi
    for params in (tf.zeros([spline.num_params]), _params(spline, 1, tf.float32, 30.0)[0]):
        widths = np.clip(_knots(params[np.newaxis, :8].numpy(), bound), 0.0, None)
        inner = np.cumsum(widths[0])[:-1] - bound
        ends = [-bound, bound, np.nextafter(np.float32(bound), 0), -1e4, 1e4, 0.0]
        points = tf.constant([*inner, *ends], tf.float32)
        for direction in (spline.forward, spline.inverse):
            with tf.GradientTape() as tape:
                tape.watch([points, params])
                value, log_slope = direction(points, params)
                loss = tf.reduce_sum(value + log_slope)
            for gradient in (value, log_slope, *tape.gradient(loss, [points, params])):
                assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("jit_compile", [None, False, True], ids=["eager", "graph", "XLA"])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_second_derivatives(direction, jit_compile):
    """The gradient is written by hand; its own gradient is exact, too."""
    spline = tff.transformers.RationalQuadraticSpline(num_bins=5, bound=2.0)
    rng = np.random.default_rng(0)
    at = [rng.uniform(-1.8, 1.8, size=7), rng.normal(size=[7, spline.num_params])]

    def of_gradient(x, params):
        with tf.GradientTape() as tape:
            tape.watch([x, params])
            value, log_slope = getattr(spline, direction)(x, params)
            loss = tf.reduce_sum(tf.sin(value) + log_slope**2)
        return sum(tf.reduce_sum(tf.sin(g)) for g in tape.gradient(loss, [x, params]))

    def gradient(x, params):
        with tf.GradientTape() as tape:
            tape.watch([x, params])
            value = of_gradient(x, params)
        return tape.gradient(value, [x, params])

    run = gradient if jit_compile is None else tf.function(gradient, jit_compile=jit_compile)
    slopes = run(*map(tf.constant, at))
    ways, step = [rng.normal(size=v.shape) for v in at], 1e-6
    above, below = (
        of_gradient(*(tf.constant(v + sign * step * w) for v, w in zip(at, ways, strict=True)))
        for sign in (1.0, -1.0)
    )
    expected = (above - below) / (2.0 * step)
    actual = sum(tf.reduce_sum(s * w) for s, w in zip(slopes, ways, strict=True))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("points", ["all in the tails", "all inside"])
def test_tails_are_the_identity(points):
    spline = SPLINES["line"]
    params = _params(spline, 6, tf.float32)
    x = tf.constant([-9.0, -4.0, 4.0, 5.0, 1e4, -1e30] if "tails" in points else [0.5] * 6)
    y, log_slope = spline.forward(x, params)
    same = np.array_equal(y, x) and not np.any(log_slope)
    assert same == (points == "all in the tails")


def test_density_on_the_torus():
    """It integrates to one, and has no jump where the angles are cut."""

    def conditioner(angle):
        return network(tf.concat([tf.cos(angle), tf.sin(angle)], axis=-1))

    spline = tff.transformers.CircularRationalQuadraticSpline(num_bins=4)
    network = tff.networks.MLP(2, spline.num_params, [8], "tanh", False, 0, tf.float64)
    coupling = tff.bijectors.Coupling(spline, conditioner, mask=[True, False])
    marginals = tff.bijectors.Elementwise(
        spline, _params(spline, 2, tf.float64, 0.5), event_ndims=1
    )
    pi = tf.constant(np.pi, tf.float64)
    uniform = tfd.Independent(tfd.Uniform(-pi * tf.ones([2], tf.float64), pi), 1)
    flow = tfd.TransformedDistribution(uniform, tfb.Chain([coupling, marginals]))
    n = 400
    angles = -np.pi + 2.0 * np.pi * (np.arange(n) + 0.5) / n
    grid = tf.stack(tf.meshgrid(angles, angles, indexing="ij"), axis=-1)
    density = tf.exp(flow.log_prob(grid)).numpy()
    assert density.max() > 2.0 * density.min()
    np.testing.assert_allclose(density.mean() * 4.0 * np.pi**2, 1.0, atol=1e-4)
    for first, last in ((density[0], density[-1]), (density[:, 0], density[:, -1])):
        np.testing.assert_allclose(first, last, rtol=0.1)

    samples = flow.sample(2000, seed=1).numpy()
    assert np.all((samples >= -np.pi) & (samples < np.pi))
    mean = (density[..., np.newaxis] * np.exp(1j * grid.numpy())).mean((0, 1)) * 4.0 * np.pi**2
    np.testing.assert_allclose(np.exp(1j * samples).mean(0), mean, atol=0.06)


def test_angles_are_periodic():
    spline = SPLINES["circle"]
    params = _params(spline, 100, tf.float64)
    x = tf.constant(np.random.default_rng(1).uniform(-3.0, 3.0, size=100))
    for direction in (spline.forward, spline.inverse):
        for a, b in zip(direction(x, params), direction(x + 4.0 * np.pi, params), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("ends", [(-1.0, 2.0), (0.0, None), (None, 1.5)])
def test_bounded_density(ends):
    """A flow of learned marginals on a bounded domain integrates to one, and stays inside."""
    clip = tff.transformers.Softclip(*ends)
    low, high = (-40.0 if ends[0] is None else ends[0]), (40.0 if ends[1] is None else ends[1])
    params = tf.constant([0.3, -0.5], tf.float64)
    bounded = tfd.TransformedDistribution(
        tfd.Normal(tf.zeros([], tf.float64), 1.0), tff.bijectors.Elementwise(clip, params)
    )
    grid = np.linspace(low, high, 200_001)[1:-1]
    np.testing.assert_allclose(np.trapezoid(bounded.prob(grid), grid), 1.0, atol=1e-6)
    samples = bounded.sample(1000, seed=1)
    assert np.all((samples > low) & (samples < high))
    assert np.all(np.isnan(bounded.log_prob([low - 1.0]))) == (ends[0] is not None)


def test_elementwise_scalars_are_independent():
    """With scalar events the leading dimensions of the parameters are batch dimensions."""
    spline = SPLINES["line"]
    params = _params(spline, 3, tf.float32)
    scalar = tff.bijectors.Elementwise(spline, params)
    vector = tff.bijectors.Elementwise(spline, params, event_ndims=1)
    assert scalar.experimental_batch_shape() == [3]
    assert scalar.experimental_batch_shape(x_event_ndims=1) == []
    assert vector.experimental_batch_shape() == []
    x = tf.random.stateless_normal([5, 3], seed=[0, 1])
    y, log_det = scalar.forward_and_log_det(x)
    assert log_det.shape == [5, 3]
    np.testing.assert_array_equal(vector.forward(tf.identity(x)), y)
    np.testing.assert_allclose(
        vector.forward_log_det_jacobian(tf.identity(x)), tf.reduce_sum(log_det, axis=-1), rtol=1e-6
    )
    base = tfd.Sample(tfd.Normal(0.0, 1.0), 3)
    flow = tfd.TransformedDistribution(base, scalar)
    assert (flow.batch_shape, flow.event_shape) == ([], [3])
    reference = tfd.TransformedDistribution(base, vector)
    np.testing.assert_allclose(flow.log_prob(x), reference.log_prob(tf.identity(x)), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: tff.transformers.RationalQuadraticSpline(1), ValueError, ["num_bins", "1"]),
        (lambda: tff.transformers.RationalQuadraticSpline(2.5), TypeError, ["num_bins", "2.5"]),
        (lambda: tff.transformers.RationalQuadraticSpline(8, -1.0), ValueError, ["bound", "-1"]),
        (lambda: tff.transformers.CircularRationalQuadraticSpline(0), ValueError, ["num_bins"]),
        (lambda: tff.transformers.Softclip(), ValueError, ["low", "high"]),
        (lambda: tff.transformers.Softclip(2.0, 1.0), ValueError, ["high", "2.0", "1.0"]),
        (lambda: tff.transformers.Softclip(low=np.inf), ValueError, ["low", "inf"]),
        (lambda: tff.bijectors.Elementwise(tf.tanh, [0.0]), TypeError, ["transformer"]),
        (
            lambda: tff.bijectors.Elementwise(tff.transformers.Affine(), tf.zeros([3])),
            ValueError,
            ["params", "(..., 2)", "(3,)"],
        ),
        (
            lambda: tff.bijectors.Elementwise(tff.transformers.Affine(), tf.zeros([2]), 1),
            ValueError,
            ["params", "(2,)"],
        ),
        (
            lambda: tff.bijectors.Elementwise(tff.transformers.Affine(), tf.zeros([2]), -1),
            ValueError,
            ["event_ndims", "-1"],
        ),
    ],
)
def test_bad_input(make, error, parts):
    with pytest.raises(error) as raised:
        make()
    for part in (*parts, "expected", "received"):
        assert part in str(raised.value)
