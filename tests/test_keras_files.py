"""Every recipe in a `.keras` file: saved, loaded, equal; and what happens where it cannot be."""

import inspect
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests.files import assert_failed_write_leaves
from tests.test_flows import perturb
from tfp_flows import flows

tfb, tfd = tfp.bijectors, tfp.distributions

LAYERS = {"num_layers": 2}
HIDDEN = {"hidden_units": [4]}
IMAGE = {"image_shape": [4, 4, 1], "hidden_channels": 3, "num_blocks": 0}

# One case a recipe; each is made with a context, too, and from other seeds than it is loaded with.
CASES = {
    "continuous": {"event_size": 2, "num_steps": 2} | HIDDEN,
    "glow": IMAGE | {"num_steps": 1},
    "iaf": {"event_size": 3, "order": "random"} | LAYERS | HIDDEN,
    "maf": {"event_size": 3, "order": "random"} | LAYERS | HIDDEN,
    "neural_spline": {"event_size": 2, "num_bins": 3} | LAYERS | HIDDEN,
    "nice": {"event_size": 2} | LAYERS | HIDDEN,
    "planar": {"event_size": 2, "fast": "log_prob"} | LAYERS,
    "radial": {"event_size": 2} | LAYERS,
    "real_nvp": {"event_size": 2, "activation": tf.nn.silu} | LAYERS | HIDDEN,
    "real_nvp_image": IMAGE | {"num_levels": 2, "num_couplings": 1},
    "residual": {"event_size": 2} | LAYERS | HIDDEN,
    "sylvester": {"event_size": 2, "orthogonal": "permutation"} | LAYERS,
}
NO_RECIPES = {"from_config", "get_config", "initialize", "reversible", "update_statistics"}


def test_every_recipe_has_a_case():
    assert set(CASES) == set(flows.__all__) - NO_RECIPES


def make(name, context_size=None, seed=0):
    flow = getattr(flows, name)(**CASES[name], context_size=context_size, seed=seed)
    perturb(flow, scale=0.2, seed=seed + 1)
    return flow


def bound(flow):
    """The flow itself, or that of three contexts."""
    if not hasattr(flow, "context_size"):
        return flow
    return flow(tf.random.stateless_normal([3, flow.context_size], [1, 2]))


def assert_equal_flows(first, second):
    first, second = bound(first), bound(second)
    x = tf.random.stateless_normal([4, *first.batch_shape, *first.event_shape], [3, 4])
    np.testing.assert_array_equal(first.log_prob(x), second.log_prob(tf.identity(x)))


def assert_equal_variables(first, second):
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("context_size", [None, 2])
@pytest.mark.parametrize("name", CASES)
def test_recipe(name, context_size, tmp_path):
    """Nothing of the structure may depend on the seed: it is another one where it is loaded."""
    flow = make(name, context_size)
    path = tmp_path / "flow.keras"
    tff.models.DensityModel(flow).save(path)
    with zipfile.ZipFile(path) as file:
        text = file.read("config.json").decode()
    assert f'"flows.{name}"' in text
    assert '"seed": 0' in text
    rewrite(path, lambda text: text.replace('"seed": 0', '"seed": 7'))
    loaded = keras.saving.load_model(path).distribution
    assert_equal_flows(flow, loaded)

    checkpoint = tf.train.Checkpoint(flow=flow).write(str(tmp_path / "checkpoint"))
    perturb(loaded, seed=9)
    tf.train.Checkpoint(flow=loaded).read(checkpoint).assert_consumed()
    assert_equal_variables(flow, loaded)


def rewrite(path, change):
    """Changes the description in a file."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["config.json"] = change(members["config.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def data(flow, rows=16):
    return np.random.default_rng(0).normal(size=[rows, *flow.event_shape]).astype("float32")


def test_training_goes_on(tmp_path):
    """Optimizer, its clipping, seeds and compilation come along: two further epochs are equal."""
    model = tff.models.DensityModel(make("real_nvp"), name="density")
    model.compile(keras.optimizers.Adam(1e-2, global_clipnorm=1.0), steps_per_execution=2)
    x = data(model.distribution)
    model.fit(x, batch_size=4, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is tff.models.DensityModel
    assert loaded.name == "density"
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.steps_per_execution == 2
    histories = [m.fit(x, batch_size=4, epochs=2, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]
    assert_equal_variables(model.distribution, loaded.distribution)
    assert not keras.saving.load_model(tmp_path / "model.keras", compile=False).compiled


def test_what_is_frozen_stays_frozen(tmp_path):
    model = tff.models.DensityModel(make("planar"))
    model.get_layer("distribution").trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.trainable_variables == []
    assert len(loaded.variables) == len(model.variables)


def test_a_clone_has_variables_of_its_own():
    model = tff.models.DensityModel(make("nice"))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert_equal_flows(model.distribution, clone.distribution)
    clone.trainable_variables[0].assign_add(tf.ones(clone.trainable_variables[0].shape))
    assert not np.allclose(clone.get_weights()[0], model.get_weights()[0])


def images():
    """Initialized from data: values that no recipe knows, in a distribution around the flow."""
    x = np.random.default_rng(0).integers(0, 17, [32, 4, 4, 1])
    noise = make_noise()
    distribution = tff.distributions.Dequantized(
        flows.reversible(make("glow")), num_levels=17, noise=noise, logit=True
    )
    flows.initialize(distribution, x)
    return distribution


def make_noise():
    return flows.planar(16, num_layers=1, context_size=16, seed=3)


def shared():
    """One variable in two places, and a variable that is transformed."""
    loc = tf.Variable([0.5, -0.5], name="shared")
    scale = tfp.util.TransformedVariable(
        [1.0, 2.0], tfb.Chain([tfb.Shift(1e-3), tfb.Softplus()]), name="scale"
    )
    components = [tfd.MultivariateNormalDiag(loc, scale), tfd.MultivariateNormalDiag(loc)]
    return tfd.Mixture(tfd.Categorical(probs=[0.25, 0.75]), components)


@keras.saving.register_keras_serializable(package="tfp_flows_tests")
def cubed(x):
    return x + 0.1 * x**3


OTHERS = {
    "mixture": lambda: flows.planar(2, 1, base=tff.distributions.gaussian_mixture(2, 2)),
    "autoregressive base": lambda: flows.planar(
        3,
        1,
        base=tff.distributions.autoregressive_base(
            3, num_components=2, hidden_units=[4], order="random"
        ),
    ),
    "resampled": lambda: flows.planar(
        2, 1, base=tff.distributions.resampled_gaussian(2, hidden_units=[4], num_points=8)
    ),
    "full covariance": lambda: flows.planar(
        2, 1, base=tff.distributions.full_covariance_gaussian(2)
    ),
    "flow on a flow": lambda: flows.planar(2, 1, base=make("real_nvp")),
    "base of a context": lambda: flows.planar(
        2, 1, context_size=3, base=tff.distributions.ConditionalGaussian(2, 3)
    ),
    "reversible": lambda: flows.reversible(make("nice", context_size=2)),
    "images": images,
    "shared": shared,
    "on a stock distribution": lambda: flows.radial(2, 1, base=shared()),
    "activations": lambda: flows.real_nvp(
        2, 2, hidden_units=np.array([3]), activation=keras.activations.gelu
    ),
    "registered": lambda: flows.real_nvp(2, 2, hidden_units=(3,), activation=cubed),
    "transformer": lambda: flows.maf(
        2,
        1,
        transformer=tff.transformers.Inverted(tff.transformers.LogisticMixtureCDF(2)),
        seed=np.random.default_rng(0),
    ),
    "float64": lambda: flows.nice(2, 1, dtype=tf.float64, name="double"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_parts(case, tmp_path):
    distribution = OTHERS[case]()
    model = tff.models.DensityModel(distribution)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [w.shape for w in loaded.trainable_weights] == [w.shape for w in model.trainable_weights]
    for first, second in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(first, second)
    first, second = bound(distribution), bound(loaded.distribution)
    assert (first.dtype, first.event_shape) == (second.dtype, second.event_shape)
    if case != "images":  # whose log-density draws noise
        x = tf.random.stateless_normal([3, *first.batch_shape, *first.event_shape], [3, 4])
        x = tf.cast(x, first.dtype)
        np.testing.assert_array_equal(first.log_prob(x), second.log_prob(tf.identity(x)))


def test_settings_are_those_of_the_call():
    """A list that is changed afterwards changes nothing; a copy of a flow is no recipe's."""
    units = [3, 4]
    flow = flows.real_nvp(2, 2, hidden_units=units)
    units.append(5)
    config = json.loads(json.dumps(flows.get_config(flow)))
    assert config["flow"]["recipe"]["settings"]["hidden_units"] == [3, 4]
    assert flows.get_config(flows.from_config(config)) == config
    with pytest.raises(TypeError, match="received <tfp"):
        flows.get_config(flow.copy(name="copy"))


@pytest.mark.parametrize(
    "name", sorted(set(tff.transformers.__all__) - {"Transformer", "check_transformer"})
)
def test_transformers(name):
    """A transformer's settings are all that its constructor takes."""
    cls = getattr(tff.transformers, name)
    settings = {"Inverted": [tff.transformers.Affine()], "Softclip": [-1.0, 2.0]}.get(name, [])
    config = flows.get_config(flows.maf(2, 1, hidden_units=[2], transformer=cls(*settings)))
    assert flows.get_config(flows.from_config(config)) == config
    described = config["flow"]["recipe"]["settings"]["transformer"]["transformer"]
    arguments = set(inspect.signature(cls).parameters) - {"args", "kwargs"}
    assert len(described["arguments"]) == len(arguments)


HAND_MADE = tfd.TransformedDistribution(
    tfd.MultivariateNormalDiag([0.0, 0.0]), tfb.Scale(tf.Variable([1.0, 2.0]))
)
REFUSED = {
    "lambda": (lambda: flows.real_nvp(2, 1, activation=lambda x: x), "`distribution.activation`"),
    "hand-made": (lambda: HAND_MADE, "`distribution`.*`save_weights`.*`DensityModel.export`"),
    "base": (lambda: flows.planar(2, 1, base=HAND_MADE), "`distribution.base`"),
    "reversible": (
        lambda: flows.reversible(HAND_MADE.copy(bijector=tfb.Chain([HAND_MADE.bijector]))),
        "`distribution.distribution`",
    ),
    "solver": (
        lambda: flows.continuous(2, ode_solve_fn=tfp.math.ode.DormandPrince().solve),
        "`distribution.ode_solve_fn`",
    ),
    "network": (
        lambda: tff.distributions.AutoregressiveMixture(
            tff.networks.MaskedMLP(2, 3, seed=0), 2, num_components=1
        ),
        "`distribution.network`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_described(case, tmp_path):
    """The message names the setting, and the file that was there is as it was."""
    make_distribution, message = REFUSED[case]
    path = tmp_path / "model.keras"
    path.write_text("what was there")
    model = tff.models.DensityModel(make_distribution())
    with pytest.raises(TypeError, match=f"Argument {message}"):
        model.save(path)
    assert path.read_text() == "what was there"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "flow.keras"
    tff.models.DensityModel(make("planar")).save(path)
    return path


def test_newer_version(path):
    rewrite(path, lambda text: text.replace('"tfp_flows": "0.', '"tfp_flows": "99.'))
    with pytest.raises(ValueError, match=r"expected .*tfp_flows 0\.\S+ or older, received.* 99\."):
        keras.saving.load_model(path)


def test_older_version(path):
    rewrite(path, lambda text: text.replace(f'"{tff.__version__}"', '"0.0.9"'))
    keras.saving.load_model(path)


BAD_DESCRIPTIONS = {
    "unknown recipe": ("flows.planar", "flows.curved", "Expected one of the recipes.*curved"),
    "no recipe": ("flows.planar", "os.system", "Expected one of the recipes.*os.system"),
    "unknown setting": ('"fast"', '"quick"', "Expected settings of flows.planar.*quick"),
    "bad setting": ('"num_layers": 2', '"num_layers": -2', "`num_layers`.*received -2"),
    "unknown tag": ('"recipe"', '"pickle"', "expected one of.*received.*pickle"),
    "unknown dtype": ("float32", "float33", "float33"),
    "no version": ('"tfp_flows": "0', '"tfp_flows": "v', "expected a version of tfp_flows"),
    "no description": ('"tfp_flows": ', '"version": ', "expected a description"),
}


@pytest.mark.parametrize("case", BAD_DESCRIPTIONS)
def test_bad_descriptions(case, path):
    old, new, message = BAD_DESCRIPTIONS[case]
    rewrite(path, lambda text: text.replace(old, new))
    with pytest.raises((ValueError, TypeError), match=message):
        keras.saving.load_model(path)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    """One bit of the weights, as a disk may lose it."""
    data = bytearray(path.read_bytes())
    at = bytes(data).index(b"\x89HDF") + 2000
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (truncated, ValueError, "accessible `.keras` zip file"),
        (lambda path: path.write_text("weights"), ValueError, "accessible `.keras` zip file"),
        (flipped, zipfile.BadZipFile, "CRC"),
    ],
)
def test_damaged_files(damage, error, message, path):
    damage(path)
    with pytest.raises(error, match=message):
        keras.saving.load_model(path)


def test_a_write_that_fails_leaves_the_file(path, monkeypatch):
    assert_failed_write_leaves(path, tff.models.DensityModel(make("radial")).save, monkeypatch)


def test_bad_paths(tmp_path):
    model = tff.models.DensityModel(make("planar"))
    with pytest.raises(ValueError, match=r"`filepath`: expected.*`.keras`, received.*flow.h5"):
        model.save(tmp_path / "flow.h5")
    with pytest.raises(OSError, match="no such folder"):
        model.save(tmp_path / "none" / "flow.keras")
    unbuilt = tff.models.DensityModel(lambda context: HAND_MADE)
    with pytest.raises(ValueError, match="expected a model that is built"):
        unbuilt.save(tmp_path / "flow.keras")


@keras.saving.register_keras_serializable(package="tfp_flows_tests")
def log_gaussian(z):
    return -0.5 * tf.reduce_sum((z - 1.0) ** 2, axis=-1)


def test_reverse_kl(tmp_path):
    model = tff.models.ReverseKLModel(
        make("nice"), log_gaussian, example_weight=0.5, path_gradient=True, seed=4
    )
    model.compile("adam", run_eagerly=True)
    x = data(model.distribution)
    model.fit(x, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert model.fit(x, verbose=0).history == loaded.fit(x, verbose=0).history

    other = tff.models.ReverseKLModel(make("planar"), lambda z: log_gaussian(z), seed=4)
    with pytest.raises(TypeError, match=r"`target_log_prob_fn`.*register_keras_serializable"):
        other.save(tmp_path / "other.keras")


def autoencoder(posterior, encoder_layers=(), **kwargs):
    layers = keras.layers
    return tff.models.FlowVAE(
        keras.Sequential([layers.Flatten(), *encoder_layers, layers.Dense(3)]),
        keras.Sequential([layers.Dense(4), layers.Reshape([2, 2, 1])]),
        posterior,
        **kwargs,
    )


@keras.saving.register_keras_serializable(package="tfp_flows_tests")
def soft_pixels(outputs):
    return tfd.Independent(tfd.Normal(outputs, 0.5), 3)


@pytest.mark.parametrize("kind", ["plain", "learned"])
def test_vae(kind, tmp_path):
    if kind == "plain":
        posterior = tff.distributions.ConditionalGaussian(2, 3, seed=0)
        model = autoencoder(posterior, seed=1, beta_warmup_steps=10)
    else:
        posterior = flows.iaf(2, 1, hidden_units=[4], context_size=3, order="random", seed=0)
        prior = flows.planar(2, 1, seed=0)
        dropout = [keras.layers.Dropout(0.5)]
        model = autoencoder(posterior, dropout, prior=prior, likelihood=soft_pixels)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    x = np.random.default_rng(0).integers(0, 2, [16, 2, 2, 1], dtype="uint8")
    model.fit(x, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    histories = [m.fit(x, batch_size=8, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(model.sample(2), loaded.sample(2))


def test_vae_with_code_inside(tmp_path):
    posterior = tff.distributions.ConditionalGaussian(2, 3)
    code = keras.layers.Lambda(lambda x: x + 1.0, output_shape=(4,))
    model = autoencoder(posterior, [code])
    with pytest.raises(TypeError, match=r"`encoder`.*lambda"):
        model.save(tmp_path / "model.keras")
    model = autoencoder(posterior, likelihood=lambda outputs: soft_pixels(outputs))
    with pytest.raises(TypeError, match="Argument `likelihood`"):
        model.save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []
