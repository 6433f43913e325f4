"""What the doctor looks at in IOCs alone."""

from __future__ import annotations

from linacre.kinds.checking.model import Check
from linacre.kinds.ioc.import_checks import imports_settled
from linacre.kinds.ioc.name_checks import names_served_once
from linacre.kinds.ioc.pv_checks import pvs_answered
from linacre.kinds.ioc.start_checks import start_scripts_right

CHECKS: tuple[Check, ...] = (
    Check(
        "imports",
        "imports settled",
        imports_settled,
        "The comments at the beginning of an IOC's entry in the facility file, in which `linacre "
        "ioc import` wrote what it did not understand of the start script, and macros that nothing "
        "defines. A warning for as long as they are there.",
        asks_engine=False,
    ),
    Check(
        "script",
        "start scripts right",
        start_scripts_right,
        "What the start script of each IOC printed until it ended, as its console's keeper found "
        "it in the log: the errors of the IOC shell, of databases and macros, and lines with "
        "ERROR. Wrong where there are any, unless `start_errors: accepted` stands in the file; so "
        "are records that its databases declare and that it did not serve after its last start. An "
        "IOC that has booted and serves no PV is a warning. Not told of Python IOCs, of those that "
        "a shell script starts, and in machines of an image from before.",
    ),
    Check(
        "pvs",
        "PVs answered",
        pvs_answered,
        "Every PV of every IOC that has booted is read by Channel Access, and those that nobody "
        "answers for by pvAccess, at the desk of the network that the machine is plugged into. "
        "Wrong are PVs that nobody answers for within 2 s, that connect and give no value within "
        "1.5 s (they hang: exactly those are named, not the ones that wait behind them), and that "
        "another server answers for. A PV that answers with an error is a warning. A search is "
        "heard by every machine of the network: of more than 1000 PVs on it a few of each IOC are "
        "searched, and the others are read from the server that answered.",
        limit_s=15.0,
    ),
    Check(
        "names",
        "PV names served once",
        names_served_once,
        "The lists of PVs of all IOCs of a network that have booted, twins left out. Wrong where a "
        "name is in more than one: which of them answers a client is a matter of chance.",
    ),
)
