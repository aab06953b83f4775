"""`DensityModel`: the right loss, every way to hand in data, and errors before harm is done."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfp_flows import flows
from tfp_flows.models import DensityModel

tfb, tfd = tfp.bijectors, tfp.distributions

ROWS, SIZE = 48, 2


def gaussian(dtype=tf.float32):
    """The smallest distribution with something to learn."""
    return tfd.MultivariateNormalDiag(
        tf.Variable(tf.zeros(SIZE, dtype), name="loc"),
        tfp.util.TransformedVariable(tf.ones(SIZE, dtype), tfb.Softplus(), name="scale"),
    )


class Regression(tf.Module):
    """x | context ~ N(context @ kernel, 1): a conditional distribution by hand."""

    def __init__(self, rows=3, **attributes):
        super().__init__()
        self.kernel = tf.Variable(tf.zeros([rows, SIZE]), name="kernel")
        for name, value in attributes.items():
            setattr(self, name, value)

    def __call__(self, context):
        return tfd.Independent(tfd.Normal(context @ self.kernel, 1.0), 1)


def data(rows=ROWS, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal([1.0, -2.0], [0.5, 2.0], [rows, SIZE]).astype(dtype)


def weights(rows=ROWS):
    return np.random.default_rng(1).uniform(0.0, 3.0, rows).astype("float32")


def compiled(distribution, optimizer="sgd", **kwargs):
    model = DensityModel(distribution)
    model.compile(optimizer, **kwargs)
    return model


def batches(*columns, size=16):
    """Batches as tuples, or as bare arrays if there is one column."""
    for start in range(0, len(columns[0]), size):
        parts = tuple(None if c is None else c[start : start + size] for c in columns)
        yield parts if len(parts) > 1 else parts[0]


class Batches(keras.utils.PyDataset):
    def __init__(self, *columns, **kwargs):
        super().__init__(**kwargs)
        self.parts = list(batches(*columns))

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


def numpy_log_prob(x):
    """Of the Gaussian above at its first values, by NumPy."""
    return -0.5 * np.sum(np.square(x), axis=-1) - 0.5 * SIZE * math.log(2.0 * math.pi)


# The numbers.


def test_loss_and_metrics_are_those_of_numpy():
    x, w = data(), weights()
    nats = -numpy_log_prob(x)
    model = compiled(gaussian())
    # 20 does not divide 48: Keras weights the mean of the last batch by its size.
    logs = model.evaluate(x, sample_weight=w, batch_size=20, return_dict=True, verbose=0)
    expected = np.average(nats, weights=w)
    np.testing.assert_allclose(logs["loss"], np.mean(nats * w), rtol=1e-5)
    np.testing.assert_allclose(logs["nats"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["bits_per_dim"], expected / (math.log(2) * SIZE), rtol=1e-5)
    assert set(logs) == set(model.metrics_names) == {"loss", "nats", "bits_per_dim"}
    np.testing.assert_allclose(
        model.evaluate(x, batch_size=20, verbose=0)[model.metrics_names.index("loss")],
        np.mean(nats),
        rtol=1e-5,
    )
    np.testing.assert_allclose(model.predict(x, verbose=0), -nats, rtol=1e-5)


def test_a_step_is_the_gradient_step_with_weights():
    x, w = data(), weights()
    model = compiled(gaussian(), keras.optimizers.SGD(0.1))
    model.fit(x, sample_weight=w, batch_size=ROWS, verbose=0)
    # d/d loc of the loss at loc = 0 and scale = 1 is -mean(w x).
    expected = 0.1 * np.mean(w[:, np.newaxis] * x, axis=0)
    np.testing.assert_allclose(model.distribution.loc, expected, rtol=1e-5)


def test_float64_data_are_not_rounded():
    distribution = gaussian(tf.float64)
    x = data(dtype="float64")
    model = compiled(distribution)
    assert model.predict(x, verbose=0).dtype == np.float64
    np.testing.assert_allclose(model.predict(x, verbose=0), distribution.log_prob(x), rtol=1e-14)
    model.compile(keras.optimizers.SGD(1.0))
    model.fit(x, batch_size=ROWS, verbose=0)
    np.testing.assert_allclose(distribution.loc, np.mean(x, axis=0), rtol=1e-14)


def test_training_finds_the_maximum_of_the_likelihood():
    x = data(512)
    model = compiled(gaussian(), keras.optimizers.Adam(0.1))
    history = model.fit(x, epochs=15, batch_size=64, validation_split=0.25, verbose=0)
    np.testing.assert_allclose(model.distribution.loc, np.mean(x[:384], 0), atol=0.15)
    np.testing.assert_allclose(model.distribution.stddev(), np.std(x[:384], 0), rtol=0.1)
    assert history.history["val_nats"][-1] < history.history["val_nats"][0] - 1.0


def three_ways(distributions, x, learning_rate, steps):
    """The losses of Keras 3 `fit`, tf_keras `fit` and a bare loop over the same batches."""
    ours, theirs, bare = distributions
    losses = {"keras": [], "tf_keras": [], "bare": []}

    class Recorder:
        def __init__(self, name):
            self.name = name

        def on_train_batch_end(self, batch, logs=None):
            losses[self.name].append(logs["loss"])

    def recorder(library, name):
        record = Recorder(name).on_train_batch_end
        return library.callbacks.LambdaCallback(on_train_batch_end=record)

    # One batch an epoch, so that a logged loss is the loss of one step.
    model = compiled(ours, keras.optimizers.Adam(learning_rate, epsilon=1e-7))
    model.fit(x, batch_size=len(x), epochs=steps, callbacks=[recorder(keras, "keras")], verbose=0)

    class TfKerasModel(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.distribution = theirs

        def call(self, x):
            return self.distribution.log_prob(x)

    model = TfKerasModel()
    model.compile(
        tf_keras.optimizers.Adam(learning_rate, epsilon=1e-7), loss=lambda _, log_prob: -log_prob
    )
    model.fit(
        x,
        np.zeros(len(x)),
        batch_size=len(x),
        epochs=steps,
        callbacks=[recorder(tf_keras, "tf_keras")],
        verbose=0,
    )

    optimizer = tf_keras.optimizers.Adam(learning_rate, epsilon=1e-7)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(bare.log_prob(x))
        gradients = tape.gradient(loss, bare.trainable_variables)
        optimizer.apply_gradients(zip(gradients, bare.trainable_variables, strict=True))
        return loss

    losses["bare"] = [float(step()) for _ in range(steps)]
    return losses


def test_the_same_distribution_trains_alike_under_keras_tf_keras_and_a_bare_loop():
    def flow():
        generator = np.random.default_rng(3)
        kernels = [
            tf.Variable(generator.normal(0.0, 0.3, shape).astype("float32"), name="kernel")
            for shape in ([1, 8], [8, 2])
        ]

        def network(x, units, **condition):
            return tf.split(tf.tanh(x @ kernels[0]) @ kernels[1], 2, axis=-1)

        bijector = tfb.RealNVP(num_masked=1, shift_and_log_scale_fn=network)
        bijector.kernels = kernels  # in sight of tf.Module, hence of tf_keras and the bare loop
        return tfd.TransformedDistribution(gaussian(), bijector)

    losses = three_ways([flow() for _ in range(3)], data(), learning_rate=0.05, steps=12)
    assert losses["keras"][-1] < losses["keras"][0] - 0.5
    np.testing.assert_allclose(losses["keras"], losses["bare"], rtol=2e-5)
    np.testing.assert_allclose(losses["tf_keras"], losses["bare"], rtol=2e-5)


# Stock flows.


def stock_flow(kind):
    base = tfd.MultivariateNormalDiag(tf.zeros(2))
    if kind == "real_nvp_keras_3":
        network = keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(2)])
        bijector = tfb.RealNVP(
            num_masked=1, shift_and_log_scale_fn=lambda x, n: tf.split(network(x), 2, axis=-1)
        )
    elif kind == "real_nvp_template":
        template = tfb.real_nvp_default_template(hidden_layers=[16])
        bijector = tfb.RealNVP(num_masked=1, shift_and_log_scale_fn=template)
    else:
        bijector = tfb.MaskedAutoregressiveFlow(
            tfb.AutoregressiveNetwork(params=2, hidden_units=[16], activation="relu")
        )
    return tfd.TransformedDistribution(base, bijector)


@pytest.mark.filterwarnings("ignore:.tf.layers.dense. is deprecated")
@pytest.mark.parametrize("kind", ["real_nvp_keras_3", "real_nvp_template", "maf"])
def test_stock_flows_with_networks_that_neither_tfp_nor_keras_3_finds_learn(kind):
    model = compiled(stock_flow(kind), keras.optimizers.Adam(0.02))
    assert model.built
    assert len(model.trainable_weights) == 4
    before = [w.numpy() for w in model.trainable_weights]
    x = data(256)
    history = model.fit(x, epochs=6, batch_size=64, verbose=0)
    assert history.history["nats"][-1] < history.history["nats"][0] - 0.3
    assert all(np.any(w.numpy() != b) for w, b in zip(model.trainable_weights, before, strict=True))


def test_variables_that_only_a_tape_sees_are_adopted():
    class Hidden:
        """As a C extension would: the search cannot look into it."""

        __slots__ = ()
        variable = tf.Variable(tf.zeros(SIZE))

    class Distribution(tfd.MultivariateNormalDiag):
        def _log_prob(self, x):
            return super()._log_prob(x - Hidden.variable)

    model = compiled(Distribution(tf.zeros(SIZE), tf.ones(SIZE)), keras.optimizers.SGD(1.0))
    assert [w._value is Hidden.variable for w in model.trainable_weights] == [True]
    model.fit(data(), batch_size=ROWS, verbose=0)
    np.testing.assert_allclose(Hidden.variable, np.mean(data(), axis=0), rtol=1e-5)


def test_a_distribution_that_refuses_zeros_is_built_from_a_sample():
    rate = tfp.util.TransformedVariable(2.0, tfb.Softplus())
    distribution = tfd.LogNormal(tf.Variable(0.0), rate, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError):
        distribution.log_prob([-1.0])
    model = compiled(tfd.Gamma(rate, 1.0, validate_args=True))
    model.fit(np.full(ROWS, 2.0, "float32"), verbose=0)


def test_an_event_shape_that_is_not_static_is_taken_from_the_data():
    class AnySize(tfd.Distribution):
        """x ~ N(loc, 1), all components alike and as many as one likes."""

        def __init__(self):
            self.loc = tf.Variable(0.0)
            super().__init__(tf.float32, tfd.FULLY_REPARAMETERIZED, False, True)

        def _event_shape(self):
            return tf.TensorShape([None])

        def _batch_shape(self):
            return tf.TensorShape([])

        def _log_prob(self, x):
            return tf.reduce_sum(tfd.Normal(self.loc, 1.0).log_prob(x), axis=-1)

    for x in (data(), tf.data.Dataset.from_tensor_slices(data()).batch(16), Batches(data())):
        model = compiled(AnySize(), run_eagerly=True)
        assert not model.built
        logs = model.evaluate(x, return_dict=True, verbose=0)
        np.testing.assert_allclose(logs["nats"], np.mean(-numpy_log_prob(data())), rtol=1e-5)
        np.testing.assert_allclose(logs["bits_per_dim"], logs["nats"] / math.log(4.0), rtol=1e-5)
    model = compiled(AnySize())
    with pytest.raises(ValueError, match=r"`x`: expected a model that is built"):
        model.fit(batches(data()), verbose=0)
    model.build((None, SIZE))
    model.fit(batches(data()), verbose=0)
    # Called by hand, also inside a function, it builds itself.
    np.testing.assert_allclose(DensityModel(AnySize())(data()), numpy_log_prob(data()), rtol=1e-5)
    unbuilt = DensityModel(AnySize())
    np.testing.assert_allclose(tf.function(unbuilt)(data()), numpy_log_prob(data()), rtol=1e-5)
    assert len(unbuilt.trainable_weights) == 1


def test_frozen_variables_stay():
    loc = tf.Variable(tf.zeros(SIZE), trainable=False)
    scale = tfp.util.TransformedVariable(tf.ones(SIZE), tfb.Softplus())
    model = compiled(tfd.MultivariateNormalDiag(loc, scale))
    model.fit(data(), verbose=0)
    np.testing.assert_array_equal(loc, np.zeros(SIZE))
    assert np.all(tf.convert_to_tensor(scale) != 1.0)
    model.get_layer("distribution").trainable = False
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"no trainable variable"):
        model.fit(data(), verbose=0)


def test_regularizers_of_a_hidden_network_count():
    network = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(10.0))
    flow = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(tf.zeros(2)),
        tfb.RealNVP(
            num_masked=1, shift_and_log_scale_fn=lambda x, n: tf.split(network(x), 2, axis=-1)
        ),
    )
    logs = compiled(flow).evaluate(data(), return_dict=True, verbose=0)
    penalty = 10.0 * np.sum(np.square(network.kernel.numpy()))
    np.testing.assert_allclose(logs["loss"] - logs["nats"], penalty, rtol=1e-3)


@pytest.mark.parametrize("context_size", [None, 3])
@pytest.mark.parametrize("recipe", [flows.planar, flows.radial, flows.nice, flows.real_nvp])
def test_every_variable_of_a_recipe_is_a_weight_once(recipe, context_size):
    flow = recipe(SIZE, num_layers=2, context_size=context_size, seed=0)
    model = compiled(flow, run_eagerly=True)
    assert model.built
    owned = [id(w._value) for w in model.weights]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(v) for v in flow.variables}
    context = () if context_size is None else (data(8, seed=1)[:, [0, 1, 0]],)
    x = data(8)
    expected = (flow if context_size is None else flow(*context)).log_prob(x)
    np.testing.assert_allclose(model.predict((x, *context), verbose=0), expected, rtol=1e-5)


# The ways to hand in data.


def unconditional_forms():
    x, w = data(), weights()
    tensors = tf.data.Dataset.from_tensor_slices
    weighted = tensors((x, w)).batch(16)
    yield "array", (x, None), {"batch_size": 16}
    yield "list", (x.tolist(), None), {"batch_size": 16}
    yield "tensor", (tf.constant(x), None), {"batch_size": 16}
    yield "tuple of one", ((x,), None), {"batch_size": 16}
    yield "dataset", (tensors(x).batch(16), None), {}
    yield "dataset of tuples", (tensors((x,)).batch(16), None), {}
    yield "py_dataset", (Batches(x), None), {}
    yield "py_dataset in threads", (Batches(x, workers=2), None), {}
    yield "generator", (batches(x), None), {"steps": 3}
    yield "weights beside", (x, w), {"batch_size": 16}
    yield "weights of shape [n, 1]", (x, w[:, np.newaxis]), {"batch_size": 16}
    yield "mapping", ({"x": x, "sample_weight": w}, None), {"batch_size": 16}
    yield "dataset of triples", (weighted.map(lambda x, w: (x, None, w)), None), {}
    yield (
        "dataset of mappings",
        (weighted.map(lambda x, w: {"x": x, "sample_weight": w}), None),
        {},
    )
    yield "py_dataset of triples", (Batches(x, None, w), None), {}
    yield "generator of triples", (batches(x, None, w), None), {"steps": 3}


@pytest.mark.parametrize(
    "form", list(unconditional_forms()), ids=lambda form: form[0].replace(" ", "_")
)
def test_every_form_of_data_gives_the_same_numbers(form):
    name, (x, sample_weight), kwargs = form
    model = compiled(gaussian(), run_eagerly=True)  # tracing would take longer
    logs = model.evaluate(x, sample_weight=sample_weight, return_dict=True, verbose=0, **kwargs)
    w = weights() if "weights" in name or "triples" in name or "mapping" in name else np.ones(ROWS)
    np.testing.assert_allclose(logs["nats"], np.average(-numpy_log_prob(data()), weights=w), 1e-5)
    np.testing.assert_allclose(logs["loss"], np.mean(-numpy_log_prob(data()) * w), 1e-5)


def fit_forms():
    x, w = data(), weights()
    yield x, {"sample_weight": w, "validation_split": 0.25, "batch_size": 16}
    yield x, {"sample_weight": w, "validation_data": (x, None, w)}
    yield x, {"validation_data": x}
    yield x, {"validation_data": (x,)}
    yield x, {"validation_data": tf.data.Dataset.from_tensor_slices(x).batch(16)}
    yield tf.data.Dataset.from_tensor_slices(x).batch(16), {"validation_data": Batches(x)}
    yield Batches(x, None, w), {"validation_data": {"x": x, "sample_weight": w}}
    yield batches(x, None, w), {"steps_per_epoch": 1, "epochs": 3}
    yield tf.data.Dataset.from_tensor_slices(x).batch(16).repeat(), {"steps_per_epoch": 2}
    yield x, {"steps_per_epoch": 2}


@pytest.mark.parametrize("form", range(10))
def test_fit_trains_on_every_form(form):
    x, kwargs = list(fit_forms())[form]
    model = compiled(gaussian(), run_eagerly=True)
    history = model.fit(x, verbose=0, **kwargs).history
    assert np.all(model.distribution.loc.numpy() != 0.0)
    assert np.all(np.isfinite(history["loss"]))
    assert ("val_nats" in history) == any("validation" in key for key in kwargs)


def test_weights_are_respected_in_validation():
    """Keras itself drops weights where there are no targets, and splits them off with the data."""
    x = data()
    w = np.where(np.arange(ROWS) < 40, 1.0, 0.0) * weights()
    w[36:] = np.linspace(0.0, 1.0, 12)
    model = compiled(gaussian(), keras.optimizers.SGD(0.0))
    split = model.fit(x, sample_weight=w, validation_split=0.25, verbose=0).history
    given = model.fit(x, validation_data=(x, None, w), verbose=0).history
    nats = -numpy_log_prob(x)
    np.testing.assert_allclose(split["nats"], [np.average(nats[:36], weights=w[:36])], rtol=1e-5)
    np.testing.assert_allclose(split["val_nats"], [np.average(nats[36:], weights=w[36:])], 1e-5)
    np.testing.assert_allclose(given["val_nats"], [np.average(nats, weights=w)], rtol=1e-5)


@pytest.mark.parametrize("rank", [None, 2])
def test_batches_of_unknown_shape(rank):
    def dataset(x):
        shape = tf.TensorShape(None) if rank is None else tf.TensorShape([None] * rank)
        signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec(None, tf.float32))
        parts = batches(x, weights()[:, np.newaxis])
        generated = tf.data.Dataset.from_generator(
            lambda: iter(list(parts)), output_signature=signature
        )
        return generated.map(lambda x, w: {"x": x, "sample_weight": w[:, 0]})

    model = compiled(gaussian())
    logs = model.evaluate(dataset(data()), return_dict=True, verbose=0)
    expected = np.average(-numpy_log_prob(data()), weights=weights())
    np.testing.assert_allclose(logs["nats"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"`x`: expected rows of shape \(2,\).*batch 0"):
        model.evaluate(dataset(np.ones([ROWS, 3], "float32")), verbose=0)


@pytest.mark.parametrize("attributes", [{}, {"context_size": 3, "dtype": tf.float32}])
def test_conditional(attributes):
    context = np.random.default_rng(2).normal(size=[ROWS, 3]).astype("float32")
    kernel = np.array([[1.0, 0.0], [0.0, -2.0], [0.5, 0.5]], "float32")
    x = context @ kernel + 0.1 * data(seed=5)
    distribution = Regression(**attributes)
    model = compiled(distribution, keras.optimizers.SGD(0.3), run_eagerly=not attributes)
    assert model.built == bool(attributes)
    nats = -np.mean(model.predict((x, context), verbose=0))
    np.testing.assert_allclose(nats, np.mean(-numpy_log_prob(x)), rtol=1e-5)
    w = weights()
    model.fit(x, context, sample_weight=w, epochs=2, batch_size=16, verbose=0)
    sliced = tf.data.Dataset.from_tensor_slices
    model.fit(sliced((x, context)).batch(16), epochs=10, verbose=0)
    model.fit(sliced((x, context, w)).batch(16), epochs=10, verbose=0)
    model.fit(Batches(x, context), validation_data=(x, context, w), verbose=0)
    residual = x - context @ np.linalg.lstsq(context, x, rcond=None)[0]
    best = np.mean(-numpy_log_prob(residual))
    for form in [((x, context),), (x, context), (sliced((x, context)).batch(16),)]:
        logs = model.evaluate(*form, return_dict=True, verbose=0)
        assert best <= logs["nats"] < best + 0.05
    log_prob = model.predict(sliced((x, context)).batch(16), verbose=0)
    np.testing.assert_allclose(log_prob, distribution(context).log_prob(x), rtol=1e-5)


def test_scalar_and_image_events():
    scalar = compiled(tfd.Normal(tf.Variable(0.0), 1.0))
    logs = scalar.evaluate(data()[:, 0], return_dict=True, verbose=0)
    np.testing.assert_allclose(logs["bits_per_dim"], logs["nats"] / math.log(2.0), rtol=1e-5)
    image = compiled(tfd.Independent(tfd.Normal(tf.Variable(tf.zeros([4, 4, 3])), 1.0), 3))
    logs = image.evaluate(np.zeros([5, 4, 4, 3], "float32"), return_dict=True, verbose=0)
    np.testing.assert_allclose(logs["bits_per_dim"], 0.5 * math.log2(2.0 * math.pi), rtol=1e-5)


def test_a_discrete_distribution_takes_integers():
    model = compiled(tfd.Bernoulli(logits=tf.Variable(0.0)), keras.optimizers.SGD(1.0))
    model.fit(np.ones(ROWS, "int64"), verbose=0)
    assert model.distribution.logits > 0.0
    logs = model.evaluate(
        np.arange(4) % 2, sample_weight=[0.5, 0.5, 0.0, 0.0], return_dict=True, verbose=0
    )
    expected = -np.mean(model.distribution.log_prob([0, 1]))
    np.testing.assert_allclose(logs["nats"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], 0.25 * expected, rtol=1e-5)
    with pytest.raises(TypeError, match=r"`x`: expected integers.*received float32"):
        model.fit(np.ones(ROWS, "float32"), verbose=0)


# How Keras may run it.


@pytest.mark.slow
@pytest.mark.parametrize(
    "kwargs",
    [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 3}],
    ids=lambda kwargs: next(iter(kwargs)),
)
def test_modes_of_execution_agree(kwargs):
    results = {}
    # Eager mode against graph mode, and graph mode's variants against eager mode.
    reference = {} if "run_eagerly" in kwargs else {"run_eagerly": True}
    for name, mode in {"expected": reference, "actual": kwargs}.items():
        model = compiled(gaussian(), keras.optimizers.SGD(0.1), **mode)
        # 5 batches: no multiple of 3 steps.
        history = model.fit(
            data(), batch_size=10, epochs=2, shuffle=False, validation_data=data(), verbose=0
        )
        predicted = model.predict(data(), batch_size=10, verbose=0)
        results[name] = [history.history["val_loss"], predicted, *model.get_weights()]
    for actual, expected in zip(results["actual"], results["expected"], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=1e-6)


def test_the_end_of_data_of_unknown_size_is_no_step():
    """In Keras itself, the optimizer counts one."""
    model = compiled(gaussian())
    dataset = tf.data.Dataset.from_tensor_slices(data()).batch(16).filter(lambda x: True)
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    model.fit(dataset, epochs=3, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 9


def test_a_distribution_strategy():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = compiled(gaussian(), keras.optimizers.SGD(0.1))
    # The copies on the devices, which a tape watches, are no variables of their own.
    assert len(model.trainable_weights) == 2
    model.fit(data(), batch_size=ROWS, validation_data=data(), verbose=0)
    np.testing.assert_allclose(model.distribution.loc, 0.1 * np.mean(data(), axis=0), rtol=1e-4)


def test_callbacks_summary_and_weights_files(tmp_path):
    x = data()
    model = compiled(stock_flow("real_nvp_keras_3"), keras.optimizers.Adam(0.01))
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert "distribution" in "".join(lines)
    assert "66" in "".join(lines)
    path = tmp_path / "best.weights.h5"
    history = model.fit(
        x,
        epochs=4,
        validation_split=0.25,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_nats", patience=0, mode="min", min_delta=1e9),
            keras.callbacks.ModelCheckpoint(
                path, "val_nats", mode="min", save_weights_only=True, save_best_only=True
            ),
            keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        ],
    )
    assert len(history.epoch) == 2
    assert float(model.optimizer.learning_rate) == pytest.approx(0.005)
    model.save_weights(tmp_path / "last.weights.h5")
    keras.utils.set_random_seed(7)
    other = compiled(stock_flow("real_nvp_keras_3"))
    assert np.any(other.predict(x, verbose=0) != model.predict(x, verbose=0))
    other.load_weights(tmp_path / "last.weights.h5")
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_allclose(
        other.distribution.log_prob(x), model.predict(x, verbose=0), rtol=1e-5
    )
    other.load_weights(path)


def test_training_resumes_from_a_backup(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(*callbacks):
        model = compiled(gaussian(), keras.optimizers.Adam(0.1), run_eagerly=True)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        history = model.fit(
            data(), epochs=4, shuffle=False, verbose=0, callbacks=[*callbacks, backup]
        )
        return history, model

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupt())
    history, resumed = fit()
    assert history.epoch == [2, 3]
    uninterrupted = compiled(gaussian(), keras.optimizers.Adam(0.1), run_eagerly=True)
    uninterrupted.fit(data(), epochs=4, shuffle=False, verbose=0)
    for a, b in zip(resumed.get_weights(), uninterrupted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_two_runs_with_one_seed_are_equal_and_epochs_differ():
    seen = []

    class Spy(tfd.MultivariateNormalDiag):
        def _log_prob(self, x):
            tf.py_function(lambda x: seen.append(x.numpy()), [x], [])
            return super()._log_prob(x)

    def run():
        keras.utils.set_random_seed(0)
        model = compiled(Spy(tf.Variable(tf.zeros(2)), tf.ones(2)), keras.optimizers.SGD(0.1))
        seen.clear()
        model.fit(data(), epochs=2, batch_size=16, verbose=0)
        return model.get_weights()[0], np.stack(seen)

    (first, batches_1), (second, batches_2) = run(), run()
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(batches_1, batches_2)
    epochs = batches_1.reshape([2, ROWS, SIZE])
    # Each epoch holds every row once, in an order of its own.
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(data(), axis=0))
    assert np.any(epochs[0] != epochs[1])
    assert np.any(epochs[0] != data())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_leaves_the_density_alone(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = compiled(gaussian(), keras.optimizers.SGD(0.1))
        log_prob = model.predict(data(), verbose=0)
        assert log_prob.dtype == np.float32
        np.testing.assert_allclose(log_prob, numpy_log_prob(data()), rtol=1e-5)
        model.fit(data(), batch_size=ROWS, verbose=0)
        np.testing.assert_allclose(model.distribution.loc, 0.1 * np.mean(data(), axis=0), rtol=1e-4)
    finally:
        keras.config.set_dtype_policy(before)


def test_train_on_batch_and_friends():
    model = compiled(gaussian(), keras.optimizers.SGD(0.1))
    logs = model.test_on_batch(data(), return_dict=True)
    np.testing.assert_allclose(logs["nats"], np.mean(-numpy_log_prob(data())), rtol=1e-5)
    model.train_on_batch(data())
    assert np.all(model.distribution.loc.numpy() != 0.0)
    np.testing.assert_allclose(
        model.predict_on_batch(data()), model.distribution.log_prob(data()), rtol=1e-5
    )


# Bad input.


def with_bad(value, row=37, column=1):
    x = data()
    x[row, column] = value
    return x


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_values_that_are_not_finite_are_named(method):
    run = getattr(compiled(gaussian(), run_eagerly=True), method)
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(
            ValueError,
            match=rf"`x`: expected finite.*received {value} in row 37 \(batch 2 at 16 rows",
        ):
            run(with_bad(value), batch_size=16, verbose=0)
    x = with_bad(np.nan)
    with pytest.raises(ValueError, match=r"`x`: expected finite.*batch 2 "):
        run(tf.data.Dataset.from_tensor_slices(x).batch(16), verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected finite.*row 5 of batch 2"):
        run(Batches(x), verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected finite.*row 5 of batch 2"):
        run(batches(x), verbose=0)


def test_bad_values_are_found_under_xla_in_weights_contexts_and_validation_data():
    x, bad = data(), with_bad(np.nan)
    w = weights()
    w[3] = np.nan
    model = compiled(gaussian(), jit_compile=True)
    with pytest.raises(ValueError, match=r"`x`: expected finite"):
        model.fit(tf.data.Dataset.from_tensor_slices(bad).batch(16), verbose=0)
    model = compiled(gaussian())
    with pytest.raises(ValueError, match=r"`sample_weight`: expected finite.*row 3"):
        model.fit(x, sample_weight=w, verbose=0)
    for validation_data in (bad, tf.data.Dataset.from_tensor_slices(bad).batch(16)):
        with pytest.raises(ValueError, match=r"`x`: expected finite"):
            model.fit(x, validation_data=validation_data, verbose=0)
    with pytest.raises(ValueError, match=r"`context`: expected finite.*row 37"):
        compiled(Regression(2, context_size=2)).fit(x, bad, verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected finite"):
        compiled(gaussian()).fit(x.astype("float64") * 1e39, verbose=0)  # infinite in float32


def test_no_training_step_sees_bad_arrays():
    model = compiled(gaussian())
    with pytest.raises(ValueError, match=r"finite"):
        model.fit(with_bad(np.nan), verbose=0)
    np.testing.assert_array_equal(model.distribution.loc, np.zeros(SIZE))


def empty_forms():
    x = data()[:0]
    yield x
    yield tf.data.Dataset.from_tensor_slices(x).batch(16)
    yield tf.data.Dataset.from_tensor_slices(data()).batch(16).filter(lambda x: False)
    yield Batches(x)
    yield batches(x)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("form", range(5))
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "validation"])
def test_no_data(form, method):
    x = list(empty_forms())[form]
    model = compiled(gaussian(), run_eagerly=form != 2)
    with pytest.raises(ValueError, match=r"`x`: expected data, received none"):
        if method == "validation":
            model.fit(data(), validation_data=x, verbose=0)
        else:
            getattr(model, method)(x, verbose=0)


def wrong_forms():
    x, w = data(), weights()
    integers = x.astype("int32")
    sliced = tf.data.Dataset.from_tensor_slices
    yield integers, TypeError, r"`x`: expected floating data.*received int32.*Dequantized"
    yield sliced(integers).batch(8), TypeError, r"received int32.*Dequantized"
    yield Batches(integers), TypeError, r"received int32.*Dequantized"
    yield x > 0, TypeError, r"received bool.*Dequantized"
    yield x.astype("complex64"), TypeError, r"`x`: expected real numbers, received complex64"
    yield np.array([["a", "b"]]), TypeError, "`x`|numbers"
    yield data()[:, :1], ValueError, r"`x`: expected shape \[n, 2\].*received \[48, 1\]"
    yield data()[:, 0], ValueError, r"`x`: expected shape \[n, 2\].*received \[48\]"
    yield sliced(x), ValueError, r"`x`: expected shape \[n, 2\].*\[2\].*batch\(batch_size\)"
    yield sliced(np.zeros([8, 3], "float32")).batch(4), ValueError, r"expected shape \[n, 2\]"
    yield sliced((x, w)).batch(8), ValueError, r"tuple of 2 parts.*weights"
    yield (x, w), ValueError, r"tuple of 2 parts.*weights"
    yield Batches(x, w), ValueError, r"tuple of 2 parts.*weights"
    yield (x, w, w), ValueError, r"tuple of 3 parts"
    yield (x, None, w, w), ValueError, r"tuple of 4 parts"
    yield {"image": x, "label": w}, ValueError, r"received columns \['image', 'label'\]"
    yield {"x": x, "sample_weight": w[:5]}, ValueError, r"`x` 48, `sample_weight` 5"
    yield {"x": x, "sample_weight": x}, ValueError, r"`sample_weight`: expected shape \[n\]"
    yield [[1.0, 2.0], [3.0]], ValueError, "`x`: expected an array"
    yield None, ValueError, r"Expected data `x`"


@pytest.mark.parametrize("form", range(20))
def test_wrong_structure_shape_and_dtype(form):
    x, error, message = list(wrong_forms())[form]
    model = compiled(gaussian())
    for run in (model.fit, model.evaluate, model.predict):
        with pytest.raises(error, match=message):
            run(x, verbose=0)


def test_wrong_arguments_of_fit():
    model, x = compiled(gaussian()), data()
    with pytest.raises(ValueError, match=r"`validation_split`"):
        model.fit(tf.data.Dataset.from_tensor_slices(x).batch(8), validation_split=0.5, verbose=0)
    with pytest.raises(ValueError, match=r"`validation_split`.*leaves rows"):
        model.fit(x[:1], validation_split=0.5, verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected one array"):
        model.fit(tf.data.Dataset.from_tensor_slices(x).batch(8), sample_weight=weights())
    with pytest.raises(ValueError, match=r"`class_weight`"):
        model.fit(x, class_weight={0: 1.0})
    with pytest.raises(ValueError, match=r"tuple of 3 parts"):
        model.fit(x, x)
    with pytest.raises(ValueError, match=r"`loss`"):
        model.compile("adam", loss="mse")
    conditional = compiled(Regression(context_size=3))
    with pytest.raises(ValueError, match=r"Expected data `\(x, context\)`"):
        conditional.fit(x, verbose=0)
    with pytest.raises(ValueError, match=r"`context`: expected shape \[n, 3\]"):
        conditional.fit(x, x, verbose=0)


def wrong_distributions():
    loc = tf.Variable(tf.zeros(2))
    yield tfd.Normal(loc, 1.0), ValueError, r"expected batch shape \[\], received \(2,\).*Independ"
    yield tfd.Normal(0.0, 1.0), ValueError, "`distribution`: expected one with variables"
    yield 3.0, TypeError, "`distribution`: expected a tfd.Distribution or a callable"
    joint = tfd.JointDistributionSequential([tfd.Normal(loc[0], 1.0), tfd.Normal(0.0, 1.0)])
    yield joint, TypeError, "over one tensor"


@pytest.mark.parametrize("form", range(4))
def test_wrong_distributions(form):
    distribution, error, message = list(wrong_distributions())[form]
    with pytest.raises(error, match=message):
        DensityModel(distribution)


def test_wrong_conditional_distributions():
    class Returns(tf.Module):
        context_size = 2

        def __init__(self, function):
            super().__init__()
            self.function, self.kernel = function, tf.Variable([[1.0, 0.0], [0.0, 1.0]])

        def __call__(self, context):
            return self.function(context @ self.kernel)

    with pytest.raises(TypeError, match=r"returns a tfd.Distribution.*EagerTensor"):
        DensityModel(Returns(lambda x: x))
    with pytest.raises(ValueError, match=r"expected batch shape \[1\] for 1 context.*\(1, 2\)"):
        DensityModel(Returns(lambda x: tfd.Normal(x, 1.0)))
