"""The import arrows and the house rules, read from the source by `ast`; each is shown to fail."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow_probability as tfp

ROOT = Path(__file__).parents[1]
PACKAGE = "tfp_flows"

# From a part of the package to the parts it builds on; it may also import what those build on.
BUILDS_ON = {
    "_tfp": set(),
    "_variables": set(),
    "_checks": set(),
    "_recording": set(),
    "_walk": {"_tfp"},
    "numerics": set(),
    "networks": {"_checks"},
    "transformers": {"_tfp", "_checks", "numerics"},
    "bijectors": {"transformers", "_variables"},
    "distributions": {"bijectors", "networks", "_recording"},
    "flows": {"distributions", "_walk"},
    "models": {"flows"},
    "inference": {"flows"},
    "diagnostics": {"_checks"},
    "datasets": {"_checks"},
    "plotting": set(),
}
INTERNALS = "tensorflow_probability.python"


class Source:
    """One Python file: its path from the repository's root, and its syntax tree."""

    def __init__(self, path: str, text: str):
        self.parts = Path(path).with_suffix("").parts
        self.tree = ast.parse(text)

    @property
    def part(self) -> str:
        """Which part of the package it belongs to; `__init__` is the package's own face."""
        return self.parts[1]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of each import; `from a import b` counts as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                # One leading dot is the folder of the file, which `__init__` stands for.
                base = [*self.parts[: len(self.parts) - node.level]] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and _name(node.func) in ("import_module", "__import__"):
                yield node.lineno, ast.unparse(node.args[0]).strip("'\"")

    def own_imports(self) -> Iterator[tuple[int, list[str]]]:
        """Imports of this package, without its name: `["flows", "planar"]`."""
        for line, target in self.imports():
            first, *rest = target.split(".")
            if first == PACKAGE:
                yield line, rest


def _name(node: ast.AST) -> str | None:
    """`x` of the expressions `x` and `anything.x`."""
    return getattr(node, "id", getattr(node, "attr", None))


def sources(folder: str) -> list[Source]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [Source(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in paths]


def reachable(part: str) -> set[str]:
    """The part, and all that it builds on."""
    return {part}.union(*(reachable(below) for below in BUILDS_ON[part]))


# The rules. Each takes a file and yields a line and a complaint for each offence.


def follows_the_arrows(source):
    if source.part != "__init__" and source.part not in BUILDS_ON:
        yield 1, f"{source.part} has no place among the arrows"
        return
    for line, target in source.own_imports():
        if source.part == "__init__":
            if target[0].startswith("_"):
                yield line, f"the public face imports {target[0]}"
        elif not target or target[0] not in reachable(source.part):
            yield line, f"{source.part} imports {'.'.join(target) or 'the whole package'}"


def keeps_helpers_private(source):
    for line, target in source.own_imports():
        if target[:1] != [source.part] and any(_is_private(name) for name in target[1:]):
            yield line, f"{source.part} imports {'.'.join(target)}, private to {target[0]}"


def enters_tfp_by_its_door(source):
    for line, target in source.imports():
        if target.startswith(INTERNALS) and source.parts != (PACKAGE, "_tfp"):
            yield line, f"imports {target}"


def holds_no_state_in_numerics(source):
    if source.part != "numerics":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and [_name(base) for base in node.bases] != [
            "NamedTuple"
        ]:
            yield node.lineno, f"class {node.name} is no NamedTuple"
        elif _name(node) in ("Variable", "get_variable", "add_weight"):
            yield node.lineno, "makes a variable"


def takes_no_name_of_tfp(source):
    """TFP registers composite tensors by class name, and a second one unregisters its own."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.ClassDef)
            and source.part == "bijectors"
            and node.name in dir(tfp.bijectors)
        ):
            yield node.lineno, f"class {node.name} is tfb.{node.name}, too"


def raises_for_users(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "assert"


def swallows_no_error(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and all(
            isinstance(line, ast.Pass)
            or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            for line in node.body
        ):
            yield node.lineno, "except: pass"


def imports_matplotlib_when_called(source):
    late = {
        line
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING")
        for line in range(node.lineno, node.end_lineno + 1)
    }
    for line, target in source.imports():
        if target.split(".")[0] == "matplotlib":
            if source.part != "plotting":
                yield line, f"{source.part} imports matplotlib"
            elif line not in late:
                yield line, "matplotlib is imported with the package"


def uses_what_is_public(source):
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Attribute)
            and _is_private(node.attr)
            and _name(node.value) not in ("self", "cls")
        ):
            yield node.lineno, f"uses .{node.attr}"
    for line, target in source.own_imports():
        is_public = len(target) <= 1 or (len(target) == 2 and target[1] in _exported(target[0]))
        if not is_public or any(_is_private(name) for name in target):
            yield line, f"imports {'.'.join(target)}, which is not public"


def _is_private(name):
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def _exported(part):
    return importlib.import_module(f"{PACKAGE}.{part}").__all__


PACKAGE_RULES = [
    follows_the_arrows,
    keeps_helpers_private,
    enters_tfp_by_its_door,
    holds_no_state_in_numerics,
    takes_no_name_of_tfp,
    raises_for_users,
    swallows_no_error,
    imports_matplotlib_when_called,
]
SCRIPT_RULES = [uses_what_is_public, enters_tfp_by_its_door, swallows_no_error]


def offences(rule, files):
    return [f"{'/'.join(s.parts)}:{line}: {text}" for s in files for line, text in rule(s)]


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_package(rule):
    files = sources(PACKAGE)
    assert len(files) > 30
    assert offences(rule, files) == []


@pytest.mark.parametrize("folder", ["examples", "benchmarks"])
@pytest.mark.parametrize("rule", SCRIPT_RULES, ids=lambda rule: rule.__name__)
def test_scripts(rule, folder):
    assert offences(rule, sources(folder)) == []


def test_tests_swallow_no_error():
    assert offences(swallows_no_error, sources("tests")) == []


OFFENCES = [
    (follows_the_arrows, "flows/a.py", "from tfp_flows.models import adopt_variables"),
    (follows_the_arrows, "bijectors/a.py", "from tfp_flows import networks"),
    (follows_the_arrows, "bijectors/a.py", "from ..networks import MLP"),
    (follows_the_arrows, "bijectors/__init__.py", "from .. import networks"),
    (follows_the_arrows, "networks/a.py", "import tfp_flows.bijectors"),
    (follows_the_arrows, "networks/a.py", "def f():\n    import tfp_flows.bijectors.base as b"),
    (follows_the_arrows, "datasets/a.py", "importlib.import_module('tfp_flows.numerics')"),
    (follows_the_arrows, "plotting.py", "from tfp_flows.flows import planar"),
    (follows_the_arrows, "_tfp.py", "from tfp_flows import numerics"),
    (follows_the_arrows, "_variables.py", "from tfp_flows import _tfp"),
    (follows_the_arrows, "numerics/a.py", "import tfp_flows as tff"),
    (follows_the_arrows, "__init__.py", "from tfp_flows import _tfp"),
    (follows_the_arrows, "utils.py", "x = 1"),
    (keeps_helpers_private, "flows/a.py", "from tfp_flows.bijectors._arguments import f"),
    (keeps_helpers_private, "flows/a.py", "from tfp_flows.bijectors import _arguments"),
    (enters_tfp_by_its_door, "flows/a.py", "from tensorflow_probability.python import internal"),
    (holds_no_state_in_numerics, "numerics/a.py", "class A: pass"),
    (holds_no_state_in_numerics, "numerics/a.py", "w = tf.Variable(0.0)"),
    (takes_no_name_of_tfp, "bijectors/a.py", "class Householder: pass"),
    (raises_for_users, "flows/a.py", "def f(x):\n    assert x"),
    (swallows_no_error, "flows/a.py", "try:\n    f()\nexcept ValueError:\n    pass"),
    (swallows_no_error, "flows/a.py", "try:\n    f()\nexcept:\n    ..."),
    (imports_matplotlib_when_called, "plotting.py", "import matplotlib.pyplot as plt"),
    (imports_matplotlib_when_called, "models/a.py", "def f():\n    from matplotlib import pyplot"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows import _tfp"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows.bijectors import _arguments"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows.bijectors._arguments import f"),
    (uses_what_is_public, "examples/a.py", "import tfp_flows.bijectors.planar"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows.bijectors.planar import Planar"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows.bijectors import Splanar"),
    (uses_what_is_public, "examples/a.py", "import tfp_flows as tff\ntff._tfp"),
]


@pytest.mark.parametrize(("rule", "path", "text"), OFFENCES)
def test_rule_sees_the_offence(rule, path, text):
    path = path if rule in SCRIPT_RULES and path.startswith("examples") else f"{PACKAGE}/{path}"
    assert len(list(rule(Source(path, text)))) == 1


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, *_ in OFFENCES} == {*PACKAGE_RULES, *SCRIPT_RULES}


INNOCENT = [
    (follows_the_arrows, "tfp_flows/models/a.py", "from ..flows import planar\nimport keras"),
    (follows_the_arrows, "tfp_flows/flows/a.py", "from tfp_flows.numerics import positive"),
    (follows_the_arrows, "tfp_flows/bijectors/a.py", "from tfp_flows import _tfp, _variables"),
    (follows_the_arrows, "tfp_flows/__init__.py", "from tfp_flows import bijectors, flows"),
    (keeps_helpers_private, "tfp_flows/flows/a.py", "from tfp_flows.flows import _recipe"),
    (enters_tfp_by_its_door, "tfp_flows/_tfp.py", f"from {INTERNALS}.internal import dtype_util"),
    (holds_no_state_in_numerics, "tfp_flows/numerics/a.py", "class A(NamedTuple): pass"),
    (swallows_no_error, "tfp_flows/flows/a.py", "try:\n    f()\nexcept OSError:\n    return_()"),
    (imports_matplotlib_when_called, "tfp_flows/plotting.py", "def f():\n    import matplotlib"),
    (uses_what_is_public, "examples/a.py", "import tfp_flows as tff\ntff.__version__"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows.flows import planar"),
    (uses_what_is_public, "examples/a.py", "from tfp_flows import flows, __version__"),
]


@pytest.mark.parametrize(("rule", "path", "text"), INNOCENT)
def test_rule_lets_the_innocent_pass(rule, path, text):
    assert list(rule(Source(path, text))) == []


@pytest.mark.slow
def test_plots_are_an_extra():
    """Keras itself imports matplotlib where it is installed; so take it away and look."""
    parts = sorted(part for part in BUILDS_ON if not part.startswith("_"))
    code = f"""
import importlib, sys
sys.modules["matplotlib"] = None
for part in {parts}:
    importlib.import_module("{PACKAGE}." + part)
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
