"""Sends one frame by `eth0` or the link named last, or tells whether it comes: a tool of tests.

`send WORDS` sends it, `hear WORDS` prints "ready", then "heard" or "not" once the frame with the
text "last" has come. WORDS: `ip SOURCE ADDRESS TARGET ADDRESS TEXT`, `arp SOURCE SENDER ADDRESS
WANTED TEXT`, `ip6 SOURCE TEXT`, `vlan SOURCE ADDRESS TEXT`, `flood SOURCE ADDRESS COUNT`.
"""

from __future__ import annotations

import socket
import struct
import sys

ALL = "ff:ff:ff:ff:ff:ff"
ETH_P_ALL = 3
_WORDS = {"ip": 6, "arp": 6, "ip6": 3, "vlan": 4, "flood": 4}


def mac(text: str) -> bytes:
    return bytes.fromhex((ALL if text == "broadcast" else text).replace(":", ""))


def datagram(source: str, target: str, text: str) -> bytes:
    payload = text.encode()
    udp = struct.pack(">HHHH", 5065, 5065, 8 + len(payload), 0) + payload
    head = struct.pack(
        ">BBHHHBBH4s4s",
        *(0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0),
        *(socket.inet_aton(source), socket.inet_aton(target)),
    )
    total = sum(struct.unpack(">10H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + udp


def frame(kind: str, *words: str) -> bytes:
    match kind:
        case "ip":
            source, address, target, to, text = words
            return mac(target) + mac(source) + b"\x08\x00" + datagram(address, to, text)
        case "arp":
            source, sender, address, wanted, _ = words
            about = struct.pack(
                ">HHBBH6s4s6s4s",
                *(1, 0x0800, 6, 4, 1, mac(sender), socket.inet_aton(address)),
                *(bytes(6), socket.inet_aton(wanted)),
            )
            return mac(ALL) + mac(source) + b"\x08\x06" + about
        case "ip6":
            source, text = words
            return mac("33:33:00:00:00:01") + mac(source) + b"\x86\xdd" + text.encode().ljust(60)
        case "vlan":
            source, address, text = words
            tagged = b"\x81\x00\x00\x05\x08\x00" + datagram(address, "10.99.1.255", text)
            return mac(ALL) + mac(source) + tagged
        case _:
            raise SystemExit(f"no such frame: {kind}")


def main() -> None:
    order, *words = sys.argv[1:]
    # One word more than the frame needs is the link.
    link = words.pop() if len(words) > _WORDS[words[0]] else "eth0"
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as raw:
        raw.bind((link, 0 if order == "send" else ETH_P_ALL))
        if order == "send" and words[0] == "flood":
            each = frame("ip", words[1], words[2], "broadcast", "10.99.1.255", "flood")
            for _ in range(int(words[3])):
                raw.send(each)
        elif order == "send":
            raw.send(frame(*words))
        else:
            wanted, heard = frame(*words), False
            print("ready", flush=True)
            while True:
                found, about = raw.recvfrom(2048)
                if about[2] == socket.PACKET_OUTGOING:
                    continue
                heard = heard or found.startswith(wanted)
                if found.endswith(b"last"):
                    break
            print("heard" if heard else "not")


if __name__ == "__main__":
    main()
