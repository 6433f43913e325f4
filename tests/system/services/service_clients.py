"""Clients of DHCP and TFTP in a few lines each, which run on a desk and on this host."""

from __future__ import annotations

import socket
import struct

# Asks for an address as a crate does, and prints `ADDRESS BOOTFILE SERVER` of the lease.
DHCP = """\
import os, socket, struct

MAC, ID, MAGIC = bytes.fromhex("02c0ffee0001"), os.urandom(4), bytes.fromhex("63825363")

def send(*options):
    head = struct.pack("!4B4sHH16s16s", 1, 1, 6, 0, ID, 0, 0x8000, b"", MAC)
    body = b"".join(bytes([code, len(data)]) + data for code, data in options)
    sock.sendto(head + bytes(192) + MAGIC + body + b"\\xff", ("255.255.255.255", 67))

def receive(kind):
    while True:
        data = sock.recv(2048)
        found, at = {}, 240
        while data[4:8] == ID and data[at] != 255:
            found[data[at]] = data[at + 2 : at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        if found.get(53) == bytes([kind]):
            return data, found

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
sock.bind(("0.0.0.0", 68))
sock.settimeout(10)
send((53, b"\\x01"), (55, b"\\x01\\x03\\x43"))
offer, options = receive(2)
send((53, b"\\x03"), (50, offer[16:20]), (54, options[54]), (55, b"\\x01\\x03\\x43"))
lease, options = receive(5)
boot = options.get(67, lease[108:236]).rstrip(b"\\0").decode()
print(socket.inet_ntoa(lease[16:20]), boot, socket.inet_ntoa(lease[20:24]))
"""


def tftp_get(server: str, name: str) -> bytes:
    """Return a file of a TFTP server (RFC 1350)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(b"\0\1" + name.encode() + b"\0octet\0", (server, 69))
        found, wanted = b"", 1
        while True:
            packet, sender = sock.recvfrom(516)
            code, number = struct.unpack("!HH", packet[:4])
            assert code == 3, packet
            if number == wanted:
                found += packet[4:]
                wanted += 1
            sock.sendto(struct.pack("!HH", 4, number), sender)
            if number == wanted - 1 and len(packet) < 516:
                return found
