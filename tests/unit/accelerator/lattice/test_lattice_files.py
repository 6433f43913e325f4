"""Lattice files: what is wrong in one is told in a line, by file and line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator.lattice.lattice import Lattice, load_lattice
from linacre.base.errors import UserError
from linacre.documents.reading import LoadError

HEAD = """\
lattice: test
laser: {meter: LASER, energy_uj: 40, charge_pc_per_uj: 2.5, shutters: [SHUTTER]}
beam:
  horizontal: {normalised_emittance_m: 5.0e-7, beta_m: 2}
  vertical: {normalised_emittance_m: 5.0e-7, beta_m: 2}
  length_m: 0.0004
  momentum_spread: 0.002
sections:
  A:
    end_m: 4
    aperture: {half_width_m: 0.02, half_height_m: 0.02}
    elements:
      GUN:
        type: gun
        start_m: 0
        length_m: 0.17
        rf: GUN-RF
        crest_deg: 0
        power_mw: 7
        momenta: {power_mw: [5, 7, 8], momentum_mev_c: [20, 30, 35]}
"""
BODY = """\
      CLA-S02-MAG-QUAD-01: {type: quadrupole, start_m: 1, length_m: 0.1, design_k: 1.5}
      BPM: {type: bpm, middle_m: 1.5, length_m: 0.1}
      END: {type: marker, middle_m: 3.5}
"""
DIPOLE = """\
      CLA-C2V-MAG-DIP-01: {type: dipole, start_m: 2, length_m: 0.4, angle_rad: 0.8}
"""
BRANCH = """\
  B:
    branch: {at: CLA-C2V-MAG-DIP-01}
    end_m: [-0.510, 2.702]
    aperture: {half_width_m: 0.02, half_height_m: 0.02}
    elements:
      CUP: {type: faraday_cup, middle_m: [-0.5103188, 2.7071068]}
"""
TEXT = HEAD + BODY
WITH_DIPOLE = TEXT.replace("      END", DIPOLE + "      END")


def write(folder: Path, text: str) -> Path:
    file = folder / "lattice.yaml"
    file.write_text(text)
    return file


def wrong(folder: Path, text: str) -> list[str]:
    """Return the lines of the error that a text raises, without the file's name."""
    file = write(folder, text)
    with pytest.raises(LoadError) as raised:
        load_lattice(file)
    assert all(line.startswith(f"{file}:") for line in raised.value.lines)
    return [line.removeprefix(f"{file}:") for line in raised.value.lines]


def test_elements_are_where_the_file_says(tmp_path: Path) -> None:
    found = load_lattice(write(tmp_path, TEXT))
    assert found.names == ("GUN", "CLA-S02-MAG-QUAD-01", "BPM", "END")
    assert found["BPM"].middle_m == pytest.approx(1.5)
    assert found["BPM"].step.start_m == pytest.approx(1.45)
    assert found.where("BPM") == f"{found.file}:22"
    with pytest.raises(UserError, match=r"^lattice\.yaml has no element BMP; the nearest is BPM$"):
        found["BMP"]


def test_behind_a_dipole_that_bends_the_line_turns(tmp_path: Path) -> None:
    end = _behind_arc(0.4, 0.8, 1.0)
    text = WITH_DIPOLE.replace("middle_m: 3.5", f"middle_m: [{end[0]:.7f}, {end[1]:.7f}]")
    text = text.replace("end_m: 4", f"end_m: [{end[0]:.7f}, {end[1]:.7f}]")
    found = load_lattice(write(tmp_path, text))
    assert found["END"].middle_m == pytest.approx(2.4 + 1.0)
    assert found["END"].seen.heading_rad == pytest.approx(0.8)


def test_a_branch_leaves_at_a_dipole_and_the_trunk_goes_straight_on(tmp_path: Path) -> None:
    found = _with_branch(tmp_path)
    assert [*found.lines] == ["A", "B"]
    assert found["END"].middle_m == pytest.approx(3.5)
    assert found["CUP"].middle_m == pytest.approx(2.9)
    assert found["CLA-C2V-MAG-DIP-01"].step.length_m == pytest.approx(0.5 * math.sin(0.8))


def _with_branch(folder: Path) -> Lattice:
    x, z = _behind_arc(0.4, 0.8, 0.5)
    place = f"[{x:.7f}, {z:.7f}]"
    text = WITH_DIPOLE + BRANCH.replace("[-0.510, 2.702]", place)
    text = text.replace("[-0.5103188, 2.7071068]", place)
    return load_lattice(write(folder, text))


def _behind_arc(length: float, angle: float, behind: float) -> tuple[float, float]:
    """Return x and z a length behind the arc of a dipole that begins at z = 2."""
    radius = length / angle
    x = -radius * (1 - math.cos(angle)) - behind * math.sin(angle)
    return x, 2 + radius * math.sin(angle) + behind * math.cos(angle)


Q1 = "CLA-S02-MAG-QUAD-01"
D1 = "CLA-C2V-MAG-DIP-01"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "middle_m: 1.5,",
            "middle_m: 1.1,",
            "22: sections.A.elements.BPM.middle_m: begins 50 mm before CLA-S02-MAG-QUAD-01 ends; "
            "move it, or write it where the beam comes to it",
        ),
        (
            "start_m: 1, length",
            "start_m: 1, end_m: 1.2, length",
            f"21: sections.A.elements.{Q1}.end_m: does not fit start_m and length_m by 100 mm; "
            "correct one of them",
        ),
        (
            "start_m: 1, length",
            "start_m: [0.01, 1], length",
            f"21: sections.A.elements.{Q1}.start_m: stands 10 mm beside the orbit; correct it",
        ),
        (
            "type: marker, middle_m: 3.5",
            "type: marker, middle_m: 4.5",
            "10: sections.A.end_m: is 500 mm before the end of END; correct it",
        ),
        (
            "start_m: 1, length",
            "length",
            f"21: sections.A.elements.{Q1}: stands nowhere; write start_m, middle_m or end_m",
        ),
        ("start_m: 1,", "start_m: one,", "is no place; write z in m, or [x, z], to 10000 m"),
        ("start_m: 1,", "start_m: .nan,", "is no place; write z in m, or [x, z], to 10000 m"),
        ("start_m: 1,", "start_m: 1e99,", "is no place; write z in m, or [x, z], to 10000 m"),
        ("start_m: 1,", "start_m: true,", "is no place; write z in m, or [x, z], to 10000 m"),
        ("start_m: 1,", "start_m: [1, 2, 3],", "3 numbers are no place; write z in m, or [x, z]"),
        ("length_m: 0.1, design", "length_m: -1, design", "-1 is below 0; write a number that is"),
        (
            "length_m: 0.1, design",
            "length_m: 0, design",
            "0 is not above 0; write a number that is",
        ),
        ("length_m: 0.1, design", "length_m: 999, design", "999 is above 100; write a number that"),
        ("length_m: 0.1, design", "length_m: inf, design", "inf is not a number"),
        (
            "length_m: 0.1, design",
            "lenght: 1, length_m: 0.1, design",
            ".lenght: unknown key; remove ",
        ),
        (
            "type: quadrupole",
            "type: quadropole",
            f"21: sections.A.elements.{Q1}: quadropole is no type of element; write quadrupole",
        ),
        ("type: bpm, ", "", "22: sections.A.elements.BPM: type is missing; write type: gun, cav"),
        (
            Q1,
            "CLA-S02-MAG-QUAD-06",
            "21: sections.A.elements.CLA-S02-MAG-QUAD-06: clara-magnet-table.yaml has no magnet "
            "CLA-S02-MAG-QUAD-06; the nearest is CLA-S04-MAG-QUAD-06",
        ),
        (
            "type: quadrupole,",
            f"type: quadrupole, magnet: {D1},",
            f"{D1} is a dipole, and no quadrupole",
        ),
        (
            "design_k: 1.5",
            "design_k: 500",
            f"21: sections.A.elements.{Q1}.design_k: {Q1}: no current gives 500 1/m; its excita",
        ),
        (
            "design_k: 1.5",
            "design_k: 50",
            f"A, and {Q1} is made for 63.36 A at most",
        ),
        (
            "type: bpm,",
            "type: bpm, pv: SHUTTER,",
            "22: sections.A.elements.BPM.pv: SHUTTER is at laser.shutters.0 already; rename or",
        ),
        ("type: bpm,", "type: bpm, pv: a b,", "'a b' is no name; write letters, digits and '-', s"),
        ("  END:", "  BPM:", "23: sections.A.elements.BPM: given twice, first on line 22; rename "),
        ("[5, 7, 8]", "[5, 8, 7]", "a power that is not above the one before; put them in order"),
        ("[5, 7, 8]", "[5, 7]", "2 powers and 3 momenta; write as many of the ones as of the othe"),
        ("lattice: test", "lattice: test\nmagnets: none.yaml", "none.yaml: no such file; write th"),
        ("beta_m: 2}\n  v", "beta_m: 0}\n  v", "4: beam.horizontal.beta_m: 0 is not above 0; writ"),
        (
            "half_width_m: 0.02",
            "half_width_m: 0",
            "half_width_m: 0 is not above 0; write a number",
        ),
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_is_wrong_is_told_where_it_stands(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in TEXT
    first, *_ = wrong(tmp_path, TEXT.replace(old, new))
    assert said in first, first


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "      CUP",
            "      BPM",
            "30: sections.B.elements.BPM: there is one of this name in sec",
        ),
        (f"{{at: {D1}}}", "{at: BPM}", "26: sections.B.branch.at: BPM is no dipole that is writte"),
        (f"{{at: {D1}}}", "{at: D9}", "26: sections.B.branch.at: D9 is no dipole that is written "),
    ],
)
def test_what_is_wrong_with_a_branch_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    first, *_ = wrong(tmp_path, WITH_DIPOLE + BRANCH.replace(old, new))
    assert said in first, first


def test_a_lattice_has_one_gun_and_it_comes_first(tmp_path: Path) -> None:
    gun = HEAD[HEAD.index("      GUN:") :]
    (line,) = wrong(tmp_path, TEXT.replace(gun, ""))
    assert line == "9: sections.A: has no gun; write one as its first element"
    second = gun.replace("GUN", "GUN2").replace("start_m: 0", "start_m: 3.6")
    (line,) = wrong(tmp_path, TEXT + second)
    assert line == "24: sections.A.elements.GUN2: a second gun; a beam begins in one"
    line, *_ = wrong(tmp_path, TEXT.replace(gun, "").replace("      BPM", second + "      BPM"))
    assert (
        line
        == "14: sections.A.elements.GUN2: the gun comes first; write it before all other elements"
    )


def test_a_second_branch_at_a_dipole_is_refused(tmp_path: Path) -> None:
    twice = BRANCH + BRANCH.replace("  B:", "  C:").replace("CUP", "CUP2")
    assert any("another line leaves at" in line for line in wrong(tmp_path, WITH_DIPOLE + twice))


def test_a_device_that_a_facility_has_not_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    known = {"LASER", "SHUTTER", "GUN-RF", "BPM-1", Q1}
    with pytest.raises(LoadError) as raised:
        load_lattice(file, known=known)
    said = "no PV of the facility begins with BPM; the nearest is BPM-1"
    assert raised.value.lines == [f"{file}:22: sections.A.elements.BPM: {said}"]


COIL = "      COIL: {type: solenoid, magnet: CLA-L01-MAG-SOL-01, length_m: 0.5, around: LINAC, "
LINAC = """\
      LINAC:
        {type: cavity, rf: L-RF, crest_deg: 0, power_mw: 7, start_m: 2.5, length_m: 0.9,
         frequency_hz: 3e9, momenta: {power_mw: [5, 7], momentum_mev_c: [20, 30]}}
"""


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("start_m: 2.3", "LINAC does not reach so far; move the solenoid, or shorten it"),
        ("end_m: 3.45", "LINAC does not reach so far; move the solenoid, or shorten it"),
        (
            "start_m: 2.6}\n" + COIL.replace("COIL", "COIL2").replace("01", "02") + "start_m: 2.7",
            "begins before the solenoid ends that is written before around LINAC; move it, or wri",
        ),
    ],
)
def test_a_solenoid_lies_within_its_cavity(tmp_path: Path, place: str, said: str) -> None:
    before = TEXT.replace("      END:", f"{LINAC}{COIL}{place}}}\n      END:")
    first, *_ = wrong(tmp_path, before)
    assert said in first


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3_000,
        "a: " * 5_000,
        "x: &a [1, 2]\n" + "".join(f"y{n}: &b{n} [*a, *a]\n" for n in range(9)),
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b]\n"
        "d: &d [*c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d]\n"
        "f: &f [*e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f, *f, *f, *f, *f]\n",
        "lattice: \x00",
        "- 1\n" * 10,
        "",
        "\xff\xfe",
    ],
    ids=["deep", "not yaml", "unknown keys", "bomb", "control", "list", "empty", "not text"],
)
def test_a_hostile_file_has_a_clear_line(tmp_path: Path, text: str) -> None:
    for line in wrong(tmp_path, text):
        assert len(line) < 200
        assert "\n" not in line


def test_a_file_of_ten_megabytes_is_not_read(tmp_path: Path) -> None:
    (line,) = _lines(tmp_path, HEAD + BODY + "# filler\n" * 1_200_000)
    assert line.endswith("larger than 4 MiB; write the path of a lattice file")


def test_more_elements_than_any_machine_has_are_refused(tmp_path: Path) -> None:
    many = "".join(f"      M{n}: {{type: marker, middle_m: 3.9}}\n" for n in range(5_000))
    first, *_ = wrong(tmp_path, TEXT + many)
    assert "5004 entries; write at most 5000" in first


def test_of_thousands_of_unknown_magnets_the_first_are_told_with_advice(tmp_path: Path) -> None:
    coils = "".join(
        f"      CLA-L01-MAG-SOL-{n}: "
        f"{{type: solenoid, length_m: 0.0001, around: LINAC, start_m: {place:.4f}}}\n"
        for n, place in enumerate(np.linspace(2.5, 3.3, 4_000))
    )
    lines = wrong(tmp_path, TEXT.replace("      END:", f"{LINAC}{coils}      END:"))
    assert len(lines) == 4_000
    assert sum("the nearest is" in line for line in lines) == 20


def _lines(folder: Path, text: str) -> list[str]:
    with pytest.raises(LoadError) as raised:
        load_lattice(write(folder, text))
    return raised.value.lines
