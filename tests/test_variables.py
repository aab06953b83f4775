"""`find_variables` sees what TFP and Keras hide, and `adopt_variables` hands it to Keras 3."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfp_flows import _variables
from tfp_flows.models import adopt_variables

tfb, tfd = tfp.bijectors, tfp.distributions

GLOBAL_KERNEL = tf.Variable([1.0], name="global_kernel")
UNUSED = tf.Variable([1.0], name="unused")


def names(found):
    return [variable.name.split(":")[0] for variable in found]


def assert_same(found, expected):
    """The same objects, in the same order."""
    assert [id(v) for v in found] == [id(v) for v in expected], (names(found), names(expected))


def uses_a_global(x):
    return x * GLOBAL_KERNEL


def reads_an_attribute_of_that_name(x):
    return x.UNUSED


class Plain:
    """No tf.Module, and not callable by the search."""

    def __init__(self, variable):
        self.variable = variable

    def __call__(self, x):
        raise AssertionError("the search must not call")

    def method(self, x):
        return x * self.variable


class Slotted:
    __slots__ = ("variable",)

    def __init__(self, variable):
        self.variable = variable


class Module(tf.Module):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def with_default(x, kernel=GLOBAL_KERNEL, *, bias=UNUSED):
    return x * kernel + bias


def test_callables_of_every_kind():
    v = tf.Variable([1.0], name="v")
    assert_same(_variables.find_variables(lambda x: x * v), [v])
    assert_same(_variables.find_variables(lambda x: (lambda y: y * v)(x)), [v])
    assert_same(_variables.find_variables(uses_a_global), [GLOBAL_KERNEL])
    assert_same(_variables.find_variables(lambda x: [uses_a_global(y) for y in x]), [GLOBAL_KERNEL])
    assert_same(_variables.find_variables(reads_an_attribute_of_that_name), [])
    assert_same(_variables.find_variables(with_default), [GLOBAL_KERNEL, UNUSED])
    partial = functools.partial(uses_a_global, v)
    assert_same(_variables.find_variables(partial), [GLOBAL_KERNEL, v])
    assert_same(_variables.find_variables(Plain(v)), [v])
    assert_same(_variables.find_variables(Plain(v).method), [v])
    assert_same(_variables.find_variables(Slotted(v)), [v])
    assert_same(_variables.find_variables(tf.function(lambda x: x * v)), [v])
    assert_same(
        _variables.find_variables(functools.wraps(uses_a_global)(lambda x: x)), [GLOBAL_KERNEL]
    )


def test_order_is_that_of_the_structure_each_once_and_cycles_end():
    a, b, c, d = (tf.Variable([float(i)], name=name) for i, name in enumerate("abcd"))
    module = Module(zeta=[a, {"k": b}], alpha=(c, Module(inner=d)), beta=a)
    module.myself = module
    a_list = [module]
    a_list.append(a_list)
    # Attributes by name: alpha before beta before zeta.
    assert_same(_variables.find_variables(a_list), [c, d, a, b])
    assert_same(_variables.find_variables(a_list), [c, d, a, b])


def test_an_empty_cell_and_a_missing_global_are_no_error():
    def recursive(n):
        return not_there_yet(n) + undefined_name  # noqa: F821

    found = _variables.find_variables(recursive)
    not_there_yet = None
    assert found == []


def test_keras_3_layers_hidden_in_stock_tfp():
    network = keras.Sequential(
        [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(2)]
    )
    flow = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(tf.Variable(tf.zeros(2), name="loc")),
        tfb.Chain(
            [
                tfb.RealNVP(
                    num_masked=1,
                    shift_and_log_scale_fn=lambda x, n: tf.split(network(x), 2, axis=-1),
                )
            ]
        ),
    )
    assert names(_variables.find_variables(flow)) == ["loc"]  # not built: nothing to find yet
    flow.log_prob(tf.zeros([1, 2]))
    assert flow.bijector.variables == ()  # why this search exists
    expected = [*(w.value for w in network.weights), flow.distribution.loc]
    assert_same(_variables.find_variables(flow), expected)
    # The last word on what is trainable is Keras's: the bare variables still say True.
    network.layers[0].trainable = False
    assert all(v.trainable for v in expected)
    assert_same(_variables.find_trainable_variables(flow), expected[2:])


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_layer_says_what_is_trainable_also_when_the_bare_variable_comes_first(library):
    layer = library.layers.Dense(2)
    layer.build((None, 3))
    bare = [getattr(w, "_value", w) if library is keras else w for w in layer.weights]
    layer.trainable = False
    assert_same(_variables.find_variables([bare, layer]), bare)
    assert_same(_variables.find_trainable_variables([bare, layer]), [])
    assert_same(_variables.find_trainable_variables(bare), bare)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_a_compiled_model_holds_its_weights_and_no_other_state(library):
    model = library.Sequential([library.layers.Dense(2), library.layers.BatchNormalization()])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones([4, 3]), np.ones([4, 2]), verbose=0)
    weights = [getattr(w, "_value", w) if library is keras else w for w in model.weights]
    assert_same(_variables.find_variables(lambda x: model(x)), weights)
    assert len(_variables.find_trainable_variables(model.call)) == 4
    model.trainable = False
    assert _variables.find_trainable_variables(model) == []


def test_a_keras_3_layer_that_holds_a_module_without_owning_it():
    class Wrapper(keras.layers.Layer):
        def __init__(self, module):
            super().__init__()
            self.module = module

    module = Module(v=tf.Variable(1.0, name="v"))
    assert Wrapper(module).weights == []
    assert_same(_variables.find_variables(Wrapper(module)), [module.v])


def test_networks_of_tfp():
    template = tfb.real_nvp_default_template(hidden_layers=[4])
    real_nvp = tfb.RealNVP(num_masked=1, shift_and_log_scale_fn=template)
    made = tfb.AutoregressiveNetwork(params=2, hidden_units=[4])
    maf = tfb.MaskedAutoregressiveFlow(made)
    for bijector in (real_nvp, maf):
        assert _variables.find_variables(bijector) == []
        with tf.GradientTape() as tape:
            bijector.forward(tf.zeros([1, 2]))
        found = _variables.find_variables(bijector)
        assert len(found) == 4
        assert {id(v) for v in found} == {id(v) for v in tape.watched_variables()}
    assert real_nvp.variables == ()


def test_transformed_and_frozen_variables_and_joint_distributions():
    scale = tfp.util.TransformedVariable([1.0], tfb.Softplus(), name="scale")
    loc = tf.Variable([0.0], name="loc", trainable=False)
    joint = tfd.JointDistributionSequential(
        [tfd.Normal(loc, scale), lambda x: tfd.Normal(x, scale)]
    )
    assert {id(v) for v in _variables.find_variables(joint)} == {
        id(v) for v in (loc, *scale.variables)
    }
    assert_same(_variables.find_trainable_variables(joint), scale.variables)


class Owner(keras.layers.Layer):
    def __init__(self, *modules, **kwargs):
        super().__init__(**kwargs)
        self.adopted = [adopt_variables(self, module) for module in modules]


def test_adoption_shares_the_variables_themselves():
    loc = tf.Variable(tf.zeros([2], tf.float64), name="flow/loc")
    scale = tf.Variable(tf.ones([2], tf.float64), name="flow/scale", trainable=False)
    normal = tfd.MultivariateNormalDiag(loc, scale)
    owner = Owner(normal, name="owner")
    assert [w.path for w in owner.weights] == ["owner/flow/loc", "owner/flow/scale"]
    assert_same([w.value for w in owner.weights], [loc, scale])
    assert [w.dtype for w in owner.weights] == ["float64", "float64"]
    assert [w.path for w in owner.trainable_weights] == ["owner/flow/loc"]
    owner.set_weights(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(normal.mean(), [1.0, 2.0])
    loc.assign([5.0, 6.0])
    np.testing.assert_array_equal(owner.get_weights()[0], [5.0, 6.0])


def test_adoption_twice_and_by_a_sublayer_owns_once():
    module = Module(v=tf.Variable(1.0))
    owner = Owner(module, [module])
    assert len(owner.weights) == 1
    assert owner.adopted[0][0] is owner.adopted[1][0]
    model = keras.Sequential([owner])
    assert adopt_variables(model, module) == [owner.weights[0]]
    assert len(model.weights) == 1


def test_adopted_names_are_unique_and_readable():
    owner = Owner(
        Module(a=[tf.Variable(0.0, name="w") for _ in range(3)]),
        Module(b=tf.Variable(0.0, name="w"), c=tf.Variable(0.0, name="weird name!/x")),
        name="owner",
    )
    assert [w.path for w in owner.weights] == [
        "owner/w",
        "owner/w_1",
        "owner/w_2",
        "owner/w_3",
        "owner/weird_name_/x",
    ]


def test_adoption_inside_build_names_the_layer_once():
    class Late(keras.layers.Layer):
        def build(self, input_shape):
            adopt_variables(self, Module(v=tf.Variable(1.0, name="v")))

    late = Late(name="late")
    late.build((None, 1))
    assert [w.path for w in late.weights] == ["late/v"]


def test_a_network_of_keras_keeps_its_variables_with_regularizer_and_constraint():
    dense = keras.layers.Dense(
        2,
        kernel_regularizer=keras.regularizers.L2(0.5),
        kernel_constraint=keras.constraints.NonNeg(),
    )
    dense.build((None, 2))
    dense.bias.trainable = False
    owner = Owner(lambda x: dense(x))
    assert [w is v for w, v in zip(owner.weights, [dense.kernel, dense.bias], strict=True)] == [
        True
    ] * 2
    assert [w is dense.kernel for w in owner.trainable_weights] == [True]
    np.testing.assert_allclose(
        sum(owner.losses), 0.5 * np.sum(dense.kernel.numpy() ** 2), rtol=1e-6
    )


def test_a_layer_made_frozen_stays_frozen():
    dense = keras.layers.Dense(2, trainable=False)
    dense.build((None, 2))
    owner = Owner(lambda x: dense(x))
    assert len(owner.weights) == 2
    assert owner.trainable_weights == []


def test_adoption_refuses_what_cannot_work():
    module = Module(v=tf.Variable(1.0))
    with pytest.raises(ValueError, match=r"`module`.*holds none"):
        adopt_variables(keras.layers.Layer(), tfd.Normal(0.0, 1.0))
    with pytest.raises(TypeError, match=r"`layer`.*tf_keras"):
        adopt_variables(tf_keras.layers.Dense(1), module)
    built = keras.layers.Dense(1, name="built")
    built.build((None, 1))
    with pytest.raises(ValueError, match=r"`layer`.*'built'.*1 of the 1 variables"):
        adopt_variables(built, module)
    # What it owns already is no reason to complain.
    owner = Owner(module)
    owner.build((None, 1))
    assert adopt_variables(owner, module) == owner.weights
