"""Loopback, as somebody on the network has it: he sees all that is sent, sends from any address,
and as much as the machine can. For those test/tools/test_* and tools/lib/bench_* that play him.
"""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time

from agents import BIN, PORT, Agent

INIT, RESP, COOKIE, DATA = 1, 2, 3, 4
ANYWHERE = "0.0.0.0:0"  # test/net/flood.c's: another address each time, at which nobody is


def packet(source, to, payload):
    """In the name of whoever has the address `source`."""
    (a, b), (c, d) = source.split(":"), to.split(":")
    size = 8 + len(payload)
    return struct.pack("!2BH4x2BH4s4s", 0x45, 0, 20 + size, 64, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(a), socket.inet_aton(c)) + \
        struct.pack("!4H", int(b), int(d), size, 0) + payload


class Wire(threading.Thread):
    """All datagrams from or to PORT on loopback: (source, destination, payload)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.tap.bind(("lo", 0))
        self.tap.settimeout(0.2)
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.going = True
        self.start()

    def run(self):
        while self.going:
            with contextlib.suppress(TimeoutError):
                seen, where = self.tap.recvfrom(4096)
                if where[2] == socket.PACKET_OUTGOING or seen[9] != socket.IPPROTO_UDP:
                    continue
                ports = struct.unpack("!2H", seen[20:24])
                if PORT in ports:
                    ends = [f"{socket.inet_ntoa(seen[at:at + 4])}:{port}"
                            for at, port in zip((12, 16), ports)]
                    self.seen.append((*ends, seen[28:]))

    def look_away(self):
        """Sees nothing from now on: a flood would drown it."""
        if self.going:
            self.going = False
            self.join()
            self.tap.close()

    def close(self):
        self.look_away()
        self.raw.close()

    def send(self, source, to, payload):
        self.raw.sendto(packet(source, to, payload), (to.split(":")[0], 0))

    def replay(self, recorded, to=None, source=None):
        for i, (was_source, was_to, payload) in enumerate(recorded):
            self.send(source or was_source, to or was_to, payload)
            if i % 16 == 15:
                time.sleep(0.005)  # no faster than an agent reads
        time.sleep(0.3)

    def mark(self):
        """What is seen from here on."""
        at = len(self.seen)
        return lambda: self.seen[at:]


# --- what a flood is made of: (source, payload) ---

def junk(dice):
    """Every type and length, and nothing right in it that is not public."""
    sizes = ((INIT, 176), (RESP, 176), (COOKIE, 64), (DATA, 32), (DATA, 100), (DATA, 1232))
    out = [dice.randbytes(dice.randrange(1400)) for _ in range(100)]
    for kind, size in sizes * 15:
        out.append((bytes((kind, 1, 0, 0)) + dice.randbytes(8) + bytes(4) +
                    dice.randbytes(1216))[:size])
    return [(ANYWHERE, p) for p in dice.sample(out, len(out))]


def forged(dice, recorded):
    """INITs that name the right key, and DATA in the name of a member, in a session of his and with
    a counter that comes next."""
    source, _, data = [r for r in recorded if r[2][0] == DATA][-1]
    hello = next(p for _, _, p in recorded if p[0] == INIT)
    count = struct.unpack_from("<Q", data, 8)[0]
    out = []
    for i in range(100):
        out.append((ANYWHERE, hello[:16] + dice.randbytes(128) + hello[144:]))
        out.append((ANYWHERE, hello[:144] + dice.randbytes(16) + hello[160:]))
        out.append((source, data[:8] + struct.pack("<Q", count + 500 + i) +
                    dice.randbytes((48, 1216)[i % 2])))
    return out


def replayed(recorded):
    """What members sent here: INITs from everywhere, with another mac2 as well, and as it was the
    DATA of the latest session, which is the one that its first eight bytes name."""
    hellos = [p for _, _, p in recorded if p[0] == INIT]
    data = [(source, p) for source, _, p in recorded if p[0] == DATA]
    return [(ANYWHERE, p) for p in hellos] + \
        [(ANYWHERE, p[:160] + b"\xff" * 16) for p in hellos] + \
        [(source, p) for source, p in data if p[:8] == data[-1][1][:8]][-len(hellos):]


def sent_elsewhere(wire, top, number, count):
    """INITs of somebody who has the key, to addresses where nobody is: all they lack is to have
    been sent to who gets them now."""
    seen = wire.mark()
    member = Agent(top, number, peers=range(100, 164))
    member.start()
    try:
        for _ in range(1000):
            hellos = [p for source, _, p in seen() if source == member.address and p[0] == INIT]
            if len(hellos) >= count:
                break
            time.sleep(0.1)
    finally:
        member.stop()
    assert len(hellos) >= count, len(hellos)
    return hellos[:count]


class Flood:
    """These packets to an address, a rate and seconds."""

    def __init__(self, directory, packets, to, rate, seconds):
        path = os.path.join(directory, "flood")
        with open(path, "wb") as f:
            for source, payload in packets:
                p = packet(source, to, payload)
                f.write(struct.pack("<H", len(p)) + p)
        self.process = subprocess.Popen([f"{BIN}/test/flood", "send", path, to, str(rate),
                                         str(seconds)], stdout=subprocess.PIPE, text=True)

    def going(self):
        return self.process.poll() is None

    def told(self):
        """What it has sent and what came back, by name."""
        words = self.process.communicate()[0].split()
        assert self.process.returncode == 0
        return {name: float(n) for name, n in zip(words[::2], words[1::2])}
