"""Puts what the stories reached into the README: pictures, numbers, commands and their seconds.

    python examples/gallery.py

Everything is read from examples/results/, where `make gallery` stores the stories' tables.
"""

import ast
import pathlib
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

EXAMPLES = pathlib.Path(__file__).resolve().parent
README = EXAMPLES.parent / "README.md"
BEGIN, END = "<!-- The gallery: written by examples/gallery.py -->", "<!-- End of the gallery -->"

# For each story, its pictures and what its table says. {row|column} is a cell. A row is named by
# its first cell, or by its first ones with slashes between them, or by "A > B": B below A.
STORIES: dict[str, tuple[Sequence[str], str]] = {
    "density_2d": (
        ["density_2d"],
        "Test NLL {learned, 1,000 steps|test NLL} nats after 1,000 steps, in "
        "{learned, 1,000 steps|seconds} seconds with compilation; {learned, 1,000 steps|KL} nats "
        "above the exact density.",
    ),
    "density_toys": (
        ["density_toys"],
        "Held-out NLL, splines against exact densities: moons {spline 8|moons} and "
        "{exact density|moons}, rings {spline 8|rings} and {exact density|rings}, checkerboard "
        "{spline 8|checkerboard} and {exact density|checkerboard}, spirals {spline 8|spirals} and "
        "{exact density|spirals} nats.",
    ),
    "energy_2d": (
        ["energy_2d"],
        "KL of 32 planar layers: {planar 32|U1}, {planar 32|U2}, {planar 32|U3}, {planar 32|U4}; "
        "of 4 spline couplings: {spline 4|U1}, {spline 4|U2}, {spline 4|U3}, {spline 4|U4} nats.",
    ),
    "boltzmann_double_well": (
        ["boltzmann_double_well", "boltzmann_two_particles"],
        "Error of the free-energy difference: double well {- flow, reweighted|error} kT with an "
        "effective sample size of {- flow, reweighted|ESS}, two particles "
        "{two particles, exact > - flow, reweighted|error} kT and "
        "{two particles, exact > - flow, reweighted|ESS}; Hamiltonian Monte Carlo with as many "
        "energies is off by {- HMC from A and B|error} and "
        "{two particles, exact > - HMC from A and B|error} kT.",
    ),
    "mnist_flow": (
        ["mnist_flow"],
        "Bits per dimension of digits: RealNVP {RealNVP/variational|test, all draws}, Glow "
        "{Glow/variational|test, all draws} with variational noise; without noise a mixture's "
        "density of the training set falls to {mixture/none|train}.",
    ),
    "outliers": (
        ["outliers"],
        "Photographs against constant images, AUROC: likelihood "
        "{photographs/constant|likelihood}, typicality {photographs/constant|typicality}, ratio "
        "{photographs/constant|ratio}.",
    ),
    "completion": (
        ["completion"],
        "Mean log P of completed digits {lower|completed} nats, of digits {lower|digits}, of "
        "random fillings {lower|random} (lower half hidden).",
    ),
    "conditional": (
        ["conditional"],
        "C2ST against the exact posterior: Gaussian-linear {gaussian_linear/MAF|C2ST}, two moons "
        "{two_moons/spline|C2ST}; KL {gaussian_linear/MAF|KL (nats)} and "
        "{two_moons/spline|KL (nats)} nats.",
    ),
    "neutra_hmc": (
        ["neutra_hmc"],
        "Effective samples a gradient: {funnel/NeuTra|ESS / gradient} on the funnel against "
        "{funnel/plain/64|ESS / gradient} at best without a flow; R-hat "
        "{funnel/NeuTra|largest R-hat}. Eight schools: {eight schools/NeuTra|ESS / gradient}, "
        "R-hat {eight schools/NeuTra|largest R-hat}.",
    ),
    "distill_iaf": (
        ["distill_iaf"],
        "KL(student, teacher) {IAF, the student|KL(student, teacher)} nats of 64 pixels; samples a "
        "second, one at a time: {IAF, the student|samples/s, 1 at once} against "
        "{MAF, the teacher|samples/s, 1 at once}.",
    ),
    "vae_binarized_mnist": (
        ["vae_binarized_mnist"],
        "Test -ELBO of binarized 8 x 8 digits: no flow {none|test -ELBO}, planar "
        "{planar|test -ELBO}, radial {radial|test -ELBO}, RealNVP {real_nvp|test -ELBO} nats.",
    ),
    "rezende_mohamed": (
        ["rezende_mohamed"],
        "-ELBO and -log p in nats, ours after 100,000 updates, the paper's after 500,000. No flow: "
        "{none|-ELBO}, {none|-log p}, paper {none|paper: -ELBO}, {none|paper: -log p}. K = 10: "
        "{planar, K = 10|-ELBO}, {planar, K = 10|-log p}, paper {planar, K = 10|paper: -ELBO}, "
        "{planar, K = 10|paper: -log p}. K = 40: {planar, K = 40|-ELBO}, {planar, K = 40|-log p}, "
        "paper {planar, K = 40|paper: -ELBO}, {planar, K = 40|paper: -log p}. K = 80: "
        "{planar, K = 80/0/0.0/0.0/0.8/train|-ELBO}, {planar, K = 80/0/0.0/0.0/0.8/train|-log p}, "
        "with the validation images in training "
        "{planar, K = 80/0/0.0/0.0/0.8/train+validation/100,000|-ELBO}, "
        "{planar, K = 80/0/0.0/0.0/0.8/train+validation/100,000|-log p}, and after 200,000 updates "
        "{planar, K = 80/0/0.0/0.0/0.8/train+validation/200,000|-ELBO}, "
        "{planar, K = 80/0/0.0/0.0/0.8/train+validation/200,000|-log p}, paper "
        "{planar, K = 80|paper: -ELBO}, {planar, K = 80|paper: -log p}. NICE, K = 10: -log p "
        "{nice, K = 10|-log p}, paper {nice, K = 10|paper: -log p}. With the training images alone "
        "ours is ahead in -ELBO and, from K = 40 on, behind in -log p: the validation -ELBO still "
        "falls when training ends.",
    ),
}

# What only draws: its pictures.
DRAWN = {"planar_and_radial": ["planar", "radial"]}


class Table:
    """A stored table: what it was measured with, and its cells by their row and column."""

    def __init__(self, path: pathlib.Path):
        head, _, header, _, *rows = path.read_text(encoding="utf-8").strip().split("\n")
        found = re.search(
            r"`(?P<command>.*)`: (?P<seconds>\d+) seconds in all, (?P<machine>.*)\.$", head
        )
        self.command, self.seconds, self.machine = found.groups()
        self._columns = self._cells(header)
        self._rows = [self._cells(row) for row in rows]

    def cell(self, place: str) -> str:
        """The first cell at a place such as `planar 32|U1`."""
        row, _, column = place.rpartition("|")
        *above, row = row.split(" > ")
        rows = self._rows[_find(self._rows, above[0]) :] if above else self._rows
        return rows[_find(rows, row)][self._columns.index(column)]

    @staticmethod
    def _cells(line):
        return [cell.strip() for cell in line.strip("|").split("|")]


def _find(rows: Sequence[Sequence[str]], name: str) -> int:
    """Where the first row is whose first cells, joined by slashes, are the name."""
    return next(k for k, cells in enumerate(rows) if name in accumulate(cells, "{}/{}".format))


class Story(NamedTuple):
    """What is told of a story, in the README and on its page.

    Attributes:
      name: of its file, without the ending.
      title: the first line of its docstring.
      pictures: their names in examples/gallery/.
      numbers: what its table says, in a sentence or two.
      command: how it was run.
      seconds: how long that took.
      table: the stored table, as Markdown.
    """

    name: str
    title: str
    pictures: Sequence[str]
    numbers: str
    command: str
    seconds: str
    table: str

    def row(self) -> str:
        """Its row in the README."""
        images = " ".join(
            f'<img src="examples/gallery/{name}.png" width="360" alt="{name}">'
            for name in self.pictures
        )
        return (
            f"| {images} | **{self.title}** {self.numbers}<br>`{self.command}`, "
            f"{self.seconds} seconds ([table](examples/results/{self.name}.md)) |"
        )


def stories() -> list[Story]:
    """All stories whose tables are there."""
    return [
        _story(name, *parts)
        for name, parts in STORIES.items()
        if (EXAMPLES / "results" / f"{name}.md").exists()
    ]


def drawn() -> list[Story]:
    """Examples that have pictures, but train nothing and have no numbers."""
    return [
        Story(name, _title(name), pictures, "", f"python examples/{name}.py", "", "")
        for name, pictures in DRAWN.items()
    ]


def _story(name: str, pictures: Sequence[str], numbers: str) -> Story:
    path = EXAMPLES / "results" / f"{name}.md"
    table = Table(path)
    said = re.sub(r"\{(.*?)\}", lambda place: table.cell(place[1]), numbers)
    text = path.read_text("utf-8").strip()
    return Story(name, _title(name), pictures, said, table.command, table.seconds, text)


def _title(name: str) -> str:
    docstring = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8")))
    return docstring.partition("\n")[0]


def gallery() -> str:
    """The gallery as the README has it."""
    rows = [story.row() for story in stories()]
    return "\n".join([BEGIN, "| picture | story |", "|---|---|", *rows, END])


def main() -> None:
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(before + gallery() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
