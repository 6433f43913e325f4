"""What may stand in a facility file, as models whose words a user sees."""

from linacre.declaration.models.access import (
    Access,
    AutoEngine,
    Engine,
    IncusEngine,
    ProcessEngine,
    TelnetAccess,
)
from linacre.declaration.models.archivers import ARCHIVER_PORT, Archiver, RetentionSettings
from linacre.declaration.models.facility import (
    ARCHIVERS,
    IOCS,
    SERVICES,
    DeclaredHost,
    Defaults,
    Facility,
    desk_name,
    facility_model,
)
from linacre.declaration.models.iocs import (
    BinaryIoc,
    Ioc,
    IocCommon,
    IocDefaults,
    PythonIoc,
    SoftIoc,
)
from linacre.declaration.models.machine import DeclaredMachine, ProgramPart, Section
from linacre.declaration.models.networks import HOST, Network, Route
from linacre.declaration.models.service_values import SERVICE_TREE
from linacre.declaration.models.services import FileSettings, Service
from linacre.declaration.models.settings import (
    DeviceSettings,
    LimitSettings,
    LogSettings,
    MountSettings,
)
from linacre.declaration.models.sources import FolderSource, GitSource, Source
from linacre.declaration.models.values import Bytes, Seconds

__all__ = [
    "ARCHIVERS",
    "ARCHIVER_PORT",
    "HOST",
    "IOCS",
    "SERVICES",
    "SERVICE_TREE",
    "Access",
    "Archiver",
    "AutoEngine",
    "BinaryIoc",
    "Bytes",
    "DeclaredHost",
    "DeclaredMachine",
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
    "ProgramPart",
    "PythonIoc",
    "RetentionSettings",
    "Route",
    "Seconds",
    "Section",
    "Service",
    "SoftIoc",
    "Source",
    "TelnetAccess",
    "desk_name",
    "facility_model",
]
