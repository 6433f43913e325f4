"""Python clients on the host: each reads the PVs that it is given, and prints their values."""

from __future__ import annotations

AIOCA = """
import asyncio, json, sys
from aioca import caget
async def get():
    return [float(await caget(name, timeout=20)) for name in sys.argv[1:]]
print(json.dumps(asyncio.run(get())))
"""
P4P = """
import json, sys
from p4p.client.thread import Context
with Context("pva", nt=False) as context:
    print(json.dumps([context.get(name, timeout=20).value for name in sys.argv[1:]]))
"""
CAPROTO = """
import json, sys
from caproto.sync.client import read
print(json.dumps([float(read(name, timeout=20, repeater=False).data[0]) for name in sys.argv[1:]]))
"""
