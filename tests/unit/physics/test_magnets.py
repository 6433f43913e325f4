"""Every magnet of the data: from current to strength and back."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.physics.curves import Solenoid
from linacre.physics.errors import NoCurveError, OutOfRangeError
from linacre.physics.excitation import Excitation
from linacre.physics.magnet_files import CLARA, CLARA_PHASE_1, load_magnets
from linacre.physics.magnets import Magnet, MagnetData
from linacre.physics.quantities import Kind, Units

TABLE, PHASE_1 = load_magnets(CLARA), load_magnets(CLARA_PHASE_1)
ALL = [table[name] for table in (TABLE, PHASE_1) for name in table]
WITH_CURVE = [magnet for magnet in ALL if magnet.data.curve is not None]
RESOLUTION = 1e-9
"""Of full scale: what I -> K -> I must come back to."""
GUN_SOLENOID_A = 330.0
"""To which phase 1 degaussed the gun's solenoid, of which it gives no rating."""
MOMENTUM = 35.5
PER_T = 299.792458 / MOMENTUM
"""What 1 T, or 1 T m, is for that beam: in 1/m, or rad."""

every_magnet = pytest.mark.parametrize(
    "magnet", WITH_CURVE, ids=[f"{m.name} {m.data.curve.form}" for m in WITH_CURVE if m.data.curve]
)


def full_scale(magnet: Magnet) -> float:
    return magnet.data.rating_a or GUN_SOLENOID_A


def excitation(magnet: Magnet) -> Excitation:
    assert magnet.data.curve is not None
    return magnet.data.curve.excitation


def in_knee_band(magnet: Magnet, current_a: float) -> bool:
    """Whether a current gives a strength that lies between the ends of two branches."""
    *_, upper = branches = excitation(magnet).branches
    size = abs(magnet.strength(current_a, units=Units.MACHINE) - excitation(magnet).remanence)
    knee = sorted((branches[0].highest, upper.lowest))
    return len(branches) > 1 and knee[0] <= size <= knee[1]


def test_all_magnets_and_all_forms_of_curve_are_there() -> None:
    forms = Counter(m.data.curve.form if m.data.curve else "unknown" for m in ALL)
    assert (len(TABLE), len(PHASE_1)) == (73, 23)
    assert forms == {
        "linear": 38, "saturating": 31, "unknown": 4, "polynomial": 20, "solenoid": 3
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "current_a", "strength"),
    [
        ("CLA-S02-MAG-HCOR-01", 10.0, 2.97642405),
        ("CLA-S02-MAG-QUAD-01", -10.0, -0.255008368),
        ("CLA-S02-MAG-QUAD-01", 50.0, -1.37559632e-05 * (50 - 942.476607) ** 2 + 12.2155644),
        (
            "CLA-C2V-MAG-QUAD-01",
            -150.0,
            -(-5.90020492e-07 * 150**3 + 0.000242789779 * (150 - 35.7637244) ** 2 + 1.23614373),
        ),
        ("CLA-C2V-MAG-DIP-01", 60.0, 83.8891386),
        ("CLA-C2V-MAG-DIP-01", 72.7715868, -0.00151326 * 468.3684512**2 + 433.708104),
        ("CLA-GUN-MAG-SOL-02", 200.0, 33.0976392),
    ],
)
def test_the_magnet_table_holds(name: str, current_a: float, strength: float) -> None:
    assert TABLE[name].strength(current_a, units=Units.MACHINE) == pytest.approx(
        strength, rel=1e-12
    )


@pytest.mark.parametrize(
    ("name", "current_a", "strength"),
    [
        ("CLA-S02-MAG-QUAD-01", 0.0, 9.81229429460256e-03),
        ("CLA-S01-MAG-HCOR-02", -5.0, -0.1170212765957445),
        # The constant does not change its sign with the current.
        ("CLA-S02-MAG-VCOR-01", -1.0, -0.298156471708927 - 0.0431940604081946),
        ("CLA-C2V-MAG-DIP-02", -100.0, 0.95201 - 1.51557 - 89.4506059 + 0.126202232),
        ("CLA-L01-MAG-SOL-01", 100.0, 37.651102 + 0.12171419),
    ],
)
def test_the_fits_of_phase_1_hold(name: str, current_a: float, strength: float) -> None:
    assert PHASE_1[name].strength(current_a, units=Units.MACHINE) == pytest.approx(
        strength, rel=1e-12
    )


@every_magnet
def test_the_strength_rises_through_twice_its_rating(magnet: Magnet) -> None:
    """But at the knee, where a branch may begin below the end of the one before."""
    reach = min(full_scale(magnet) * 2, excitation(magnet).limit_a)
    for branch in excitation(magnet).branches:
        inside = np.linspace(branch.start, min(branch.end, reach), 2001)
        assert np.all(np.diff(branch.value(inside)) > 0)


@every_magnet
def test_from_current_to_strength_and_back(magnet: Magnet) -> None:
    limit = full_scale(magnet)
    currents = np.linspace(-limit, limit, 2001)
    outside = np.array([not in_knee_band(magnet, current) for current in currents])
    back = magnet.current(magnet.strength(currents))
    assert np.max(np.abs(back - currents)[outside]) <= RESOLUTION * limit
    assert np.mean(outside) > 0.99


@given(
    st.sampled_from(WITH_CURVE),
    st.floats(min_value=-1, max_value=1),
    st.sampled_from(Units),
    st.floats(min_value=3, max_value=250),
)
def test_a_current_comes_back_from_what_the_beam_gets(
    magnet: Magnet, part: float, units: Units, momentum: float
) -> None:
    current = part * full_scale(magnet)
    k = magnet.k(current, momentum_mev_c=momentum, units=units)
    back = magnet.current_of_k(k, momentum_mev_c=momentum, units=units)
    if not in_knee_band(magnet, current):
        assert back == pytest.approx(current, abs=RESOLUTION * full_scale(magnet))


@every_magnet
def test_numbers_and_arrays_give_the_same(magnet: Magnet) -> None:
    knee = excitation(magnet).branches[0].end
    currents = np.array([0.0, -0.0, *(x for x in (knee, -knee) if math.isfinite(x)), 1.5, -5.0])
    strengths = magnet.strength(currents)
    assert strengths.tolist() == [magnet.strength(float(each)) for each in currents]
    back = magnet.current(strengths)
    assert back.tolist() == [magnet.current(float(each)) for each in strengths]


def test_between_two_branches_the_knee_is_the_answer() -> None:
    gap, knee_a = TABLE["CLA-VBC-MAG-DIP-01"], 123.70404
    lower, upper = excitation(gap).branches
    assert upper.lowest > lower.highest
    between = (upper.lowest + lower.highest) / 2
    assert gap.current(between, units=Units.MACHINE) == knee_a
    assert gap.current(-between, units=Units.MACHINE) == -knee_a


def test_where_branches_overlap_the_lower_has_the_answer() -> None:
    overlap, knee_a = TABLE["CLA-SP2-MAG-DIP-01"], 244.041246
    lower, upper = excitation(overlap).branches
    assert upper.lowest < lower.highest
    between = (upper.lowest + lower.highest) / 2
    current = overlap.current(between, units=Units.MACHINE)
    assert current == pytest.approx(between / 1.39636938, rel=1e-14)
    assert current < knee_a


@pytest.mark.parametrize(
    ("name", "kind", "units", "k"),
    [
        ("CLA-S02-MAG-QUAD-01", Kind.QUADRUPOLE, Units.MACHINE, 0.255008368 * PER_T),
        ("CLA-S02-MAG-QUAD-01", Kind.QUADRUPOLE, Units.SI, 0.255008368 * PER_T),
        ("CLA-S02-MAG-HCOR-01", Kind.HORIZONTAL_CORRECTOR, Units.MACHINE, 2.97642405 * PER_T),
        ("CLA-S02-MAG-VCOR-01", Kind.VERTICAL_CORRECTOR, Units.SI, 3.01118381e-3 * PER_T),
        ("CLA-C2V-MAG-DIP-01", Kind.DIPOLE, Units.SI, 13.9815231e-3 * PER_T),
        (
            *("CLA-C2V-MAG-DIP-01", Kind.DIPOLE, Units.MACHINE),
            math.degrees(13.9815231e-3 * PER_T),
        ),
        ("CLA-GUN-MAG-SOL-02", Kind.SOLENOID, Units.SI, 1.65488196e-3 * PER_T / 2),
    ],
)
def test_what_the_beam_gets_at_ten_amperes(name: str, kind: Kind, units: Units, k: float) -> None:
    magnet = TABLE[name]
    assert magnet.kind is kind
    assert magnet.k(10.0, momentum_mev_c=MOMENTUM, units=units) == pytest.approx(k, rel=1e-12)


def test_a_dipole_that_bends_the_beam_into_the_dog_leg() -> None:
    dipole = TABLE["CLA-C2V-MAG-DIP-01"]
    current = dipole.current_of_k(45.0, momentum_mev_c=MOMENTUM, units=Units.MACHINE)
    assert dipole.strength(current) == pytest.approx(math.pi / 4 * MOMENTUM / 299.792458, rel=1e-12)
    assert current == pytest.approx(66.5185, abs=1e-4)


def test_a_fitted_larmor_angle_goes_before_the_field() -> None:
    solenoid = PHASE_1["CLA-L01-MAG-SOL-01"]
    per_ampere = (
        0.911580969 - 0.0374385376 * 30 + 0.00106926073 * 900 - 1.64644381e-05 * 27000
        + 1.01769629e-07 * 810000
    )  # fmt: skip
    angle = solenoid.k(-100.0, momentum_mev_c=30.0, units=Units.MACHINE)
    assert angle == pytest.approx(-100 * per_ampere, rel=1e-12)


def test_units_differ_by_what_they_say() -> None:
    for magnet in WITH_CURVE:
        in_si, in_machine = (magnet.strength(2.0, units=units) for units in Units)
        ratio = 1.0 if magnet.kind is Kind.QUADRUPOLE else 1e3
        assert in_machine == pytest.approx(ratio * in_si, rel=1e-14)


def test_currents_and_momenta_of_many_pulses_go_together() -> None:
    quadrupole = TABLE["CLA-S02-MAG-QUAD-02"]
    currents, momenta = np.array([1.0, 20.0, -20.0]), np.array([30.0, 31.0, 35.5])
    k = quadrupole.k(currents, momentum_mev_c=momenta)
    assert k.tolist() == [
        quadrupole.k(float(c), momentum_mev_c=float(p))
        for c, p in zip(currents, momenta, strict=True)
    ]
    np.testing.assert_allclose(quadrupole.current_of_k(k, momentum_mev_c=momenta), currents)


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        (99.0, "no current gives 99 T; its excitation curve reaches from -3.21797 T"),
        (-math.inf, "no current gives -inf T; its excitation curve reaches from -3.21797 T"),
        (math.nan, "no current gives nan T; its excitation curve reaches from -3.21797 T"),
        (np.array([1.0, -3.5]), "no current gives -3.5 T; its excitation curve reaches from"),
    ],
    ids=str,
)
def test_what_no_current_gives_is_said(strength: float, said: str) -> None:
    with pytest.raises(OutOfRangeError) as raised:
        TABLE["CLA-C2V-MAG-QUAD-01"].current(strength)
    assert str(raised.value).startswith(f"CLA-C2V-MAG-QUAD-01: {said}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("current", [233.0, -math.inf, math.nan, np.array([1.0, 233.0])], ids=str)
def test_a_current_where_the_curve_has_turned_is_refused(current: float) -> None:
    said = (
        r"^CLA-C2V-MAG-QUAD-01: \S+ A is beyond its excitation curve, which rises from -232\.049 A"
    )
    with pytest.raises(OutOfRangeError, match=said):
        TABLE["CLA-C2V-MAG-QUAD-01"].strength(current)


def test_the_range_is_said_in_the_unit_of_the_question() -> None:
    dipole = TABLE["CLA-C2V-MAG-DIP-01"]
    limit = dipole.k(541.140038, momentum_mev_c=MOMENTUM, units=Units.MACHINE)
    with pytest.raises(OutOfRangeError, match=rf"gives 300 degree; .* to {limit:.6g} degree$"):
        dipole.current_of_k(300.0, momentum_mev_c=MOMENTUM, units=Units.MACHINE)
    with pytest.raises(OutOfRangeError, match=r"gives 450 T mm; .* to 433\.708 T mm$"):
        dipole.current(450.0, units=Units.MACHINE)


@pytest.mark.parametrize("magnet", [TABLE["CLA-S02-MAG-QUAD-01"], PHASE_1["CLA-L01-MAG-SOL-01"]])
@pytest.mark.parametrize("momentum", [0.0, -35.5, math.nan, np.array([35.5, 0.0])], ids=str)
def test_a_beam_without_momentum_is_refused(magnet: Magnet, momentum: float) -> None:
    for ask in (magnet.k, magnet.current_of_k):
        with pytest.raises(OutOfRangeError, match=r"a beam of \S+ MeV/c; its momentum must be abo"):
            ask(1.0, momentum_mev_c=momentum)


def test_a_fit_of_the_larmor_angle_has_its_end() -> None:
    curve = Solenoid(form="solenoid", field=(0.4, 0.0), larmor_deg=(1.0, -0.1))
    solenoid = Magnet("SOL", MagnetData(kind=Kind.SOLENOID, curve=curve))
    assert solenoid.k(5.0, momentum_mev_c=9.0, units=Units.MACHINE) == pytest.approx(0.5)
    for ask in (solenoid.k, solenoid.current_of_k):
        with pytest.raises(OutOfRangeError, match=r"^SOL: 10 MeV/c is beyond the fit of its Larmo"):
            ask(1.0, momentum_mev_c=10.0)


def test_a_magnet_without_a_curve_says_so() -> None:
    dipole = TABLE["CLA-S04-MAG-DIP-01"]
    for ask in (dipole.strength, dipole.current):
        with pytest.raises(NoCurveError, match=r"^the excitation curve of CLA-S04-MAG-DIP-01 is"):
            ask(1.0)
