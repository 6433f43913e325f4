"""Commands of the IOC shell, by what they mean to a machine."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_HARMLESS_TEXT = """
asInit asSetSubstitutions asDump asprules asDbl astac callbackParallelThreads casr date dba dbcar
callbackSetQueueSize ClockTime_Report dbDumpRecord dbgf dbgrep dbhcr dbior dbl dbla dblsr dblgc
dbLoadGroup dbpf dbpr dbs dbsr dbStateCreate dbtgf dbtpf dbtr dbDumpPath echo eltc epicsEnvShow
epicsEnvUnset epicsMutexShowAll epicsParamShow epicsPrtEnvParams epicsThreadShow errlog exit
epicsThreadShowAll epicsThreadSleep errlogInit errlogInit2 fdbrestore fdbrestoreX help on pwd
generalTimeReport initHookRegister installLastResortEventProvider iocBuild iocInit iocRun iocPause
iocLogDisable iocLogPrefix iocLogShow pvasr pvxsl pvxsr registryDump save_restoreSet_Debug seqShow
save_restoreSet_status_prefix scanOnceSetQueueSize scanppl startPVAServer stopPVAServer thread var
traceIocsh tzset refreshPVAServer epicsMessageQueueShow iocshRegisterVariable dbCreateAlias atExit
dbLockShowLocked pvaLinkNWorkers
"""
HARMLESS = frozenset(_HARMLESS_TEXT.split())
"""Commands that need nothing of what surrounds the IOC."""
IPV4 = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d+))?(?![\w.])")
DEVICE_SUPPORT = re.compile(
    r"[Cc]onfig|[Dd]efine|Create|Setup|Init$|^(drv|asyn|dev|ioc|save_restore|set_pass|doAfter)"
)
"""Names of commands that device support and autosave bring."""
SERVER_VARIABLES = re.compile(
    r"EPICS_(CA|CAS|PVA|PVAS)_(SERVER_PORT|INTF_ADDR_LIST|BEACON_ADDR_LIST|AUTO_BEACON_ADDR_LIST"
    r"|BEACON_PORT|REPEATER_PORT|BROADCAST_PORT)"
)
"""Variables that take an IOC from its own address and the standard ports."""
SOFTIOC_OWN = re.compile(r"(softIoc\w*|base|PVA\w*|qsrv)(_registerRecordDeviceDriver|\.dbd)")
"""What Linacre's softIoc has already."""


def given_variables(name: str, folder: PurePosixPath, persist: PurePosixPath) -> dict[str, str]:
    """Return the environment that every IOC has here, whose start script is in a folder."""
    return {
        "IOC": name,
        "PERSIST_DIR": str(persist),
        "IOCSH_PS1": "epics> ",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PWD": str(folder),
    }
