"""What may stand in a facility file, as models whose words a user sees."""

from linacre.facility.models.access import (
    Access,
    AutoEngine,
    Engine,
    IncusEngine,
    ProcessEngine,
    TelnetAccess,
)
from linacre.facility.models.archivers import ARCHIVER_PORT, Archiver, RetentionSettings
from linacre.facility.models.facility import (
    DeclaredHost,
    Defaults,
    Facility,
    Network,
    desk_name,
)
from linacre.facility.models.iocs import (
    BinaryIoc,
    Ioc,
    IocCommon,
    IocDefaults,
    PythonIoc,
    SoftIoc,
)
from linacre.facility.models.service_values import SERVICE_TREE
from linacre.facility.models.services import FileSettings, Service
from linacre.facility.models.settings import (
    DeviceSettings,
    LimitSettings,
    LogSettings,
    MountSettings,
)
from linacre.facility.models.sources import FolderSource, GitSource, Source
from linacre.facility.models.values import Bytes, Seconds

__all__ = [
    "ARCHIVER_PORT",
    "SERVICE_TREE",
    "Access",
    "Archiver",
    "AutoEngine",
    "BinaryIoc",
    "Bytes",
    "DeclaredHost",
    "Defaults",
    "DeviceSettings",
    "Engine",
    "Facility",
    "FileSettings",
    "FolderSource",
    "GitSource",
    "IncusEngine",
    "Ioc",
    "IocCommon",
    "IocDefaults",
    "LimitSettings",
    "LogSettings",
    "MountSettings",
    "Network",
    "ProcessEngine",
    "PythonIoc",
    "RetentionSettings",
    "Seconds",
    "Service",
    "SoftIoc",
    "Source",
    "TelnetAccess",
    "desk_name",
]
