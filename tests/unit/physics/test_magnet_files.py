"""Files of magnets: what is wrong in one is told by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linacre.base.errors import UserError
from linacre.documents.reading import LoadError
from linacre.physics.magnet_files import CLARA, load_magnets

LINEAR = """\
magnets:
  M1:
    kind: quadrupole
    curve:
      form: linear
      slope: 0.5
"""


def load(folder: Path, text: str) -> list[str]:
    """Return the lines of the error that loading a file raises, without the file's name."""
    file = folder / "magnets.yaml"
    file.write_text(text)
    with pytest.raises(LoadError) as raised:
        load_magnets(file)
    return [line.removeprefix(f"{file}:") for line in raised.value.lines]


def test_a_magnet_is_found_by_its_name() -> None:
    magnets = load_magnets(CLARA)
    assert "CLA-S02-MAG-QUAD-05" in magnets
    assert magnets["CLA-S02-MAG-QUAD-05"].data.serial == "13249"
    assert len([*magnets]) == len(magnets)
    said = r"^clara-magnet-table\.yaml has no magnet CLA-S02-MAG-QUAD-06; the nearest is CLA-S0"
    with pytest.raises(UserError, match=said):
        magnets["CLA-S02-MAG-QUAD-06"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("slope: 0.5", "slope: half", "6: magnets.M1.curve.slope: half is not a number"),
        ("slope: 0.5", "slope: true", "6: magnets.M1.curve.slope: true is not a number"),
        ("slope: 0.5", "slope: .inf", "6: magnets.M1.curve.slope: .inf is not a number"),
        ("slope: 0.5", "slope: nan", "6: magnets.M1.curve.slope: nan is not a number"),
        ("slope: 0.5", "slope: -1", "4: magnets.M1.curve: the curve does not rise at 0 A; corre"),
        ("slope: 0.5", "slop: 0.5", "4: magnets.M1.curve.slope: missing; write it"),
        ("form: linear", "form: cubic", "4: magnets.M1.curve: cubic is no form of curve; write "),
        ("form: linear\n      ", "", "4: magnets.M1.curve: form is missing; write form: linear, "),
        ("quadrupole", "sextupole", "3: magnets.M1.kind: sextupole is none of these: 'quad"),
        ("quadrupole", "dipole\n    rating_a: 0", "4: magnets.M1.rating_a: 0 is not above 0; wri"),
        ("  M1:", "  M1: 3\n  M2:", "2: magnets.M1: 3 is not a mapping; write keys with values"),
        ("kind: ", "kind ", "4: not valid YAML: "),
        (LINEAR, "magnets: {}\n", "1: magnets: too short; write all that belong in it"),
        (LINEAR, "", "1: nothing is not a mapping; write keys with values"),
        (LINEAR, "- M1\n", "1: a list is not a mapping; write keys with values"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_where_it_stands(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    first, *_ = load(tmp_path, LINEAR.replace(old, new))
    assert first.startswith(said), first


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        (
            "{form: saturating, slope: 1, knee_a: 10, quadratic: -0.001, centre_a: 9, offset: 5}",
            "4: magnets.M1.curve: the curve does not rise at 10 A; correct its coefficients",
        ),
        (
            "{form: saturating, slope: 1, knee_a: 10, quadratic: -0.001, centre_a: 99, offset: 5}",
            "4: magnets.M1.curve: the curve never comes back to the 10 that it has at its knee; "
            "correct its coefficients",
        ),
        (
            "{form: polynomial, coefficients: [0, 0, 1]}",
            "4: magnets.M1.curve: the curve does not rise at 0 A; correct its coefficients",
        ),
        (
            "{form: solenoid, field: [0.4, 0], larmor_deg: [1]}",
            "2: magnets.M1: a quadrupole has no Larmor angle; write a curve of another form",
        ),
    ],
    ids=["falls", "falls short", "is flat", "is of another kind"],
)
def test_a_curve_that_cannot_be_is_refused(tmp_path: Path, curve: str, said: str) -> None:
    head, _, _ = LINEAR.partition(" curve:")
    assert load(tmp_path, f"{head} curve: {curve}\n") == [said]


def test_a_curve_that_never_turns_is_inverted_however_far(tmp_path: Path) -> None:
    file = tmp_path / "magnets.yaml"
    file.write_text(
        LINEAR.replace("linear", "polynomial").replace("slope: 0.5", "coefficients: [1, 0, 1, 0]")
    )
    magnet = load_magnets(file)["M1"]
    currents = np.array([0.0, 1e-6, 1.0, -1e4, 1e8])
    np.testing.assert_allclose(
        magnet.current(magnet.strength(currents)), currents, rtol=1e-12, atol=1e-18
    )
