"""Simulators whose exact posterior is known, to try simulation-based inference on."""

from tfp_flows.datasets._arguments import check_name
from tfp_flows.datasets._gaussian_linear import GaussianLinear
from tfp_flows.datasets._simulator import Simulator
from tfp_flows.datasets._two_moons import TwoMoons

_SIMULATORS = {"gaussian_linear": GaussianLinear, "two_moons": TwoMoons}


def simulator(name: str) -> Simulator:
    """Returns a simulator with its prior and its exact posterior.

    ```none
    gaussian_linear: theta ~ N(0, 0.1 I),  x_i = theta_1 + ... + theta_i + e_i,  e ~ N(0, 0.1 I)
    two_moons:       theta ~ U([-1, 1]^2),  a ~ U(-pi/2, pi/2),  r ~ N(0.1, 0.01^2),
                     x = (r cos a + 0.25 - |theta_1 + theta_2|/sqrt(2),
                          r sin a + (theta_2 - theta_1)/sqrt(2))
    ```

    `gaussian_linear` has ten parameters, the steps of a walk, whose noisy places are the data. Its
    posterior is Gaussian, and its ten parameters are correlated. (In the benchmark's task of that
    name each datum depends on one parameter, and the posterior is a product.) The posterior of
    `two_moons` has two crescents.

    Args:
      name: `"gaussian_linear"` or `"two_moons"`.

    Returns:
      The simulator.

    Raises:
      TypeError: if `name` is not a string.
      ValueError: if `name` does not exist.

    #### Examples

    ```python
    from tfp_flows import datasets

    theta, x = datasets.simulator("gaussian_linear").sample_joint(1000, seed=0)
    print(theta.shape, x.shape)  # (1000, 10) (1000, 10)
    ```

    #### References

    Greenberg, Nonnenmacher and Macke (2019), Automatic Posterior Transformation for
    Likelihood-free Inference, arXiv:1905.07488. Lueckmann, Boelts,
    Greenberg, Goncalves and Macke (2021), Benchmarking Simulation-Based Inference,
    arXiv:2101.04653, tasks T.1 and T.8.
    """
    check_name("name", name, _SIMULATORS)
    return _SIMULATORS[name]()
