"""Runs a command beside a FUSE mount that hangs or is stale, in a mount namespace of its own.

`unshare --mount --propagation private python fuse_mount.py hung|stale FOLDER COMMAND...`: this
process is the file system's server, straight on /dev/fuse (linux/fuse.h), with no library. With it
the mount and whatever waits for it are gone, so that no other process of the host ever sees it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys

# struct fuse_in_header: len, opcode, unique, nodeid, uid, gid, pid, padding
_HEAD = struct.Struct("=IIQQIIII")
_INIT = 26


def _mount(folder: str) -> int:
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"doctor-test", folder.encode(), b"fuse.doctor", 0, options.encode()) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    return device


def _begin(device: int) -> None:
    """Answer the kernel's greeting, and nothing ever after."""
    request = os.read(device, 1 << 17)
    _, opcode, unique, *_ = _HEAD.unpack_from(request)
    assert opcode == _INIT, opcode
    # struct fuse_init_out of protocol 7.31: major, minor, max_readahead, flags, ...
    body = struct.pack("=IIIIHHIIHH7I", 7, 31, 1 << 16, 0, 12, 9, 1 << 16, 1, 0, 0, *[0] * 7)
    os.write(device, struct.pack("=IiQ", 16 + len(body), 0, unique) + body)


def main(how: str, folder: str, *command: str) -> int:
    device = _mount(folder)
    _begin(device)
    if how == "stale":
        os.close(device)
    # What waits for the mount holds no output of ours open: only the command's end is waited for.
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
