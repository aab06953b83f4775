"""How the planar and the radial transform move the points of the plane: the two classic pictures.

Each picture shows one transform for ten values of its strength, |u| or beta: what becomes of a
regular mesh and of samples of the standard normal distribution, and, as colour, the log-det. The
û and β̂ of the titles are u and β, changed just enough to keep the transforms invertible.

    python examples/planar_and_radial.py [--output DIR] [--quick]
"""

import argparse

from common import output_folder, silence

U_LENGTHS = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5]
BETAS = [-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0]


def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    # Imported only now, so that --help and a wrong --output answer at once.
    with silence():
        import tfp_flows as tff
        from tfp_flows import plotting

    def draw(layers, title):
        """Draws what the bijectors `layers`, a dict by label, do to a mesh and to samples."""
        return plotting.transformed_mesh(
            {label: layer.forward for label, layer in layers.items()},
            log_dets={label: layer.forward_log_det_jacobian for label, layer in layers.items()},
            num_samples=200 if arguments.quick else 1000,
            title=title,
        )

    # The part of u along w stretches a band around w.x + b = 0, the part across w shears it.
    planar = {
        f"$|u| = {length:g}$": tff.bijectors.Planar(
            w=[0.0, 1.5], u=[0.5 * length, 0.75**0.5 * length], b=0.0
        )
        for length in U_LENGTHS
    }
    # A negative beta pulls points towards the center c, a positive one pushes them away.
    radial = {
        rf"$\beta = {beta:g}$": tff.bijectors.Radial(center=[1.0, 0.5], alpha=2.0, beta=beta)
        for beta in BETAS
    }
    figures = {
        "planar.png": draw(
            planar,
            r"Planar: $y = x + \hat{u}\,\tanh(w \cdot x + b)$ with $w = (0, 1.5)$, $b = 0$, "
            "$u$ at 60° to the horizontal",
        ),
        "radial.png": draw(
            radial,
            r"Radial: $y = x + \hat{\beta}\,(x - c)\,/\,(\alpha + |x - c|)$ with $c = (1, 0.5)$, "
            r"$\alpha = 2$",
        ),
    }
    for name, figure in figures.items():
        print(plotting.save(figure, arguments.output / name, dpi=150, num_colours=256))


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output",
        type=output_folder,
        default="outputs",
        metavar="DIR",
        help="folder for planar.png and radial.png, made if need be (default: %(default)s)",
    )
    parser.add_argument("--quick", action="store_true", help="draw a fifth of the samples")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
