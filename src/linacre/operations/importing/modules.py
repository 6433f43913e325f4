"""Support modules by what of them is seen in scripts, databases and programs."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """One of them."""

    name: str
    library: re.Pattern[str]
    commands: re.Pattern[str]
    devices: re.Pattern[str]
    """What records name as their DTYP."""
    records: frozenset[str]


_NONE = r"\0"


def _module(
    name: str,
    *,
    library: str = _NONE,
    commands: str = _NONE,
    devices: str = _NONE,
    records: str = "",
) -> Module:
    return Module(
        name,
        re.compile(library),
        re.compile(commands),
        re.compile(devices),
        frozenset(records.split()),
    )


_ASYN = r"asyn(?!Motor)|drvAsyn(?!Motor)|vxi11Configure"
_AUTOSAVE = (
    r"(set|save)_(savefile|requestfile|restore)|create_(monitor|triggered|periodic|manual)_set"
    r"|makeAutosave"
)
_DETECTOR = r"ND\w+Configure|simDetectorConfig"
_EPICS_SEQ = r"seq(Show|ChanShow|Stop)?$"
_MOTOR = r"drvAsynMotor|motor\w+(Config|Create|Init)|\w+(Motor|Axis)\w*(Config|Create)"
_PLC = r"drvModbus|modbusInterpose"
MODULES = (
    _module(
        "asyn", library=r"libasyn\.so", commands=_ASYN, devices="asyn(?!Motor)", records="asyn"
    ),
    _module("areaDetector", library=r"lib(ADBase|NDPlugin)\.so", commands=_DETECTOR),
    _module("autosave", library=r"libautosave\.so", commands=_AUTOSAVE),
    _module("busy", library=r"libbusy\.so", records="busy"),
    _module("calc", library=r"libcalc\.so", records="acalcout scalcout sseq swait transform"),
    _module("caPutLog", library=r"libcaPutLog\.so", commands="caPutLog|caPutJsonLog"),
    _module("ether_ip", library=r"libether_ip\.so", commands="drvEtherIP|EIP_", devices="EtherIP"),
    _module("iocStats", library=r"libdevIocStats\.so", devices="IOC stats"),
    _module("modbus", library=r"libmodbus\.so", commands=_PLC),
    _module(
        "motor", library=r"libmotor\.so", commands=_MOTOR, devices="asynMotor", records="motor"
    ),
    _module("mrfioc2", library=r"libmrf|libevr|libevg", commands="mrm|addEVR", devices="Obj Prop"),
    _module("opcua", library=r"libopcua\.so", commands="opcua", devices="OPCUA"),
    _module("require", commands="require$"),
    _module("scaler", library=r"libscaler\.so", records="scaler"),
    _module("sequencer", library=r"lib(seq|pv)\.so", commands=_EPICS_SEQ),
    _module("sscan", library=r"libsscan\.so", commands="saveData_", records="sscan scanparm"),
    _module("std", library=r"libstd\.so", commands="doAfterIocInit", records="epid throttle"),
    _module(
        "StreamDevice",
        library=r"libstream\.so",
        commands=r"stream(Set|Reload)",
        devices=r"stream$",
    ),
)
"""Those of most built IOCs; the others' missing libraries are told by their names."""


def is_of_a_module(command: str) -> bool:
    """Tell whether a command of the IOC shell is one that a support module brings."""
    return any(module.commands.match(command) for module in MODULES)
