"""Constants of nature, and units: a number in a unit times that unit is the number in SI.

    >>> 35.5 * MEV_C  # kg m/s
    1.897...e-20

Values are CODATA 2022 (P. J. Mohr et al., Rev. Mod. Phys. 97, 025002 (2025); physics.nist.gov/cuu/
Constants). Those said to be exact define the SI since 2019.
"""

from __future__ import annotations

import math

SPEED_OF_LIGHT = 299_792_458.0
"""In m/s, exact."""

ELEMENTARY_CHARGE = 1.602_176_634e-19
"""In C, exact."""

ELECTRON_MASS = 9.109_383_7139e-31
"""In kg, with a standard uncertainty of 28 in the last two digits."""

ELECTRON_REST_ENERGY_MEV = 0.510_998_950_69
"""Mass times c^2 in MeV, with a standard uncertainty of 16 in the last two digits."""

MEV_C_PER_TM = SPEED_OF_LIGHT * 1e-6
"""Momentum in MeV/c of a particle of one elementary charge and a rigidity of 1 T m.

From p = e B rho: p/(MeV/c) = 1e-6 c/(m/s) B rho/(T m); 299.792458, exact.
"""

MEV = 1e6 * ELEMENTARY_CHARGE
"""In J."""

MEV_C = MEV / SPEED_OF_LIGHT
"""1 MeV/c in kg m/s."""

MM = 1e-3
"""In m."""

MRAD = 1e-3
"""In rad."""

DEGREE = math.pi / 180
"""In rad."""

T_MM = 1e-3
"""1 T mm in T m."""
