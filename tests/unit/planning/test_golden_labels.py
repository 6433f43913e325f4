"""Labels of machines stay what they are: another digest would restart what runs, at an upgrade."""

import json
from pathlib import Path

import pytest

from linacre.base.paths import FacilityPaths
from linacre.declaration.load import load
from linacre.engines.base import Engine
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.labels import IMAGE
from linacre.engines.process.engine import ProcessEngine
from linacre.planning.specs import declared_facility

GOLDEN = Path(__file__).parent / "golden/labels.json"
"""Written by Linacre 0.1.0 as it first kept machines up; an entry changes only on purpose."""
STATE = FacilityPaths(Path("/var/lib/linacre/facilities/lab"))
NAMES = {"LAB-*": ("LAB-A", "LAB-B")}
FILE = """\
facility: lab
networks:
  controls: {subnet: 10.77.0.0/24}
  timing: {subnet: 10.78.0.0/24, gateway: 10.78.0.254}
defaults:
  ioc: {network: controls, hold_off: 20s, environment: {MODE: test}, limits: {memory: 256MiB}}
access:
  ssh_keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f name
iocs:
  plain: {kind: softioc, source: power, address: 10.78.0.11, network: timing}
  power:
    kind: softioc
    source: power
    address: 10.77.0.12
    persistent: [autosave]
    access_security: lab.acf
    after: [plain]
    log: {size: 2MiB, files: 3}
    limits: {cpu: 0.5, processes: 200}
  python:
    kind: python
    module: caproto.ioc_examples.simple
    args: [--prefix, LAB]
    address: 10.77.0.13
    environment: {DEBUG: 1}
  built:
    kind: binary
    source: built
    start: iocBoot/iocbuilt/st.cmd
    address: 10.77.0.14
    built_at: /home/epics/built
MORE
archivers:
  wide:
    address: 10.77.0.31
    network: controls
    owner: physics
    pvs: [LAB-*, OTHER scan 10]
    until: 2030-01-01T00:00:00Z
    retention: {max_age: 90d}
    disk: 5GiB
    limits: {memory: 512MiB, cpu: 1}
    after: [power]
    hold_off: 7s
    log: {files: 2}
  narrow: {address: 10.78.0.31, network: timing, pvs: [X], protocol: pva}
"""
DEVICES = """\
    mounts: [{host: /srv/waveforms, path: /data/waveforms}]
    devices: [{path: /dev/ttyUSB0}, {usb: "0403:6001"}]
services:
  db:
    packages: [mariadb-server]
    address: 10.77.0.21
    network: controls
    command: [mariadbd, --verbose]
    user: mysql
    ports: [3306/tcp, 67/udp]
    volumes: [/var/lib/mysql]
    environment: {TZ: Europe/London}
    files: {/etc/db.cnf: {content: "[mysqld]", mode: "0600"}}
    after: [power, plain]
    limits: {memory: 512MiB}
    hold_off: 9s
    log: {size: 3MiB}
    mounts: [{host: /srv/boot, path: /srv/tftp}]
  small: {address: 10.78.0.21, network: timing, command: sleep 1d, optional: true}
"""


def site(folder: Path, more: str) -> Path:
    for name, text in {
        "power/st.cmd": "iocInit()\n",
        "power/db/power.db": "# none\n",
        "built/iocBoot/iocbuilt/st.cmd": "#!../../bin/linux-x86_64/built\niocInit()\n",
        "built/bin/linux-x86_64/built": "program\n",
        "lab.acf": "ASG(DEFAULT) {}\n",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "facility.yaml").write_text(FILE.replace("MORE", more))
    return folder / "facility.yaml"


async def labels(engine: Engine, file: Path) -> dict[str, dict[str, str]]:
    declared = await declared_facility(
        load(file), engine=engine, paths=STATE, image="image", names=NAMES
    )
    # The image follows its recipe, which is another matter.
    return {
        spec.name: {
            key: value.replace(str(file.parent), "FOLDER")
            for key, value in sorted(spec.labels.items())
            if key != IMAGE
        }
        for spec in declared.machines
    }


@pytest.mark.parametrize("name", ["incus", "process"])
async def test_the_labels_of_machines_are_those_of_the_linacre_before(tmp_path: Path, name: str):
    engine: Engine = IncusEngine("lab", STATE, IncusSettings())
    if name == "process":
        engine = ProcessEngine("lab", STATE)
    found = await labels(engine, site(tmp_path, DEVICES if name == "incus" else ""))
    assert found == json.loads(GOLDEN.read_text())[name]
