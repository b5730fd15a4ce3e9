"""A cable to a network namespace of its own, which loses, repeats, spoils, delays, or is cut.

Two TUN devices, one in the caller's namespace, one in the new one, and a loop that carries the
packets of IPv4 between them.  ``cable.py SEED`` says on standard output what it made (JSON, one
line; ``{"impossible": WHY}`` where that is not permitted), then obeys standard input: each line is
a JSON object with new values for fields of Condition, and is answered by a line with Counts so far.
Devices and namespace are gone when the process is, which ends when its standard input does.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

CLONE_NEWNET = 0x4000_0000
TUNSETIFF = 0x4004_54CA
IFF_TUN_NO_PI = 0x1001
LONGEST_PACKET = 65_536
PROGRAMS = ("ip", "nsenter")  # the second one puts peers at the far end


@dataclass(frozen=True)
class Condition:
    """How the cable treats a packet; shares are between 0 and 1."""

    lost: float = 0.0
    repeated: float = 0.0
    spoilt: float = 0.0  # one bit is flipped: the kernel's checksums notice, and drop it
    delay_ms: float = 0.0
    jitter_ms: float = 0.0  # up to that much more, for each packet anew: so packets are reordered
    is_cut: bool = False  # all packets are lost, those under way too; the devices stay up


@dataclass
class Counts:
    """What became of the packets."""

    carried: int = 0
    lost: int = 0
    repeated: int = 0
    spoilt: int = 0
    reordered: int = 0


@dataclass
class Cable:
    """Packets under way between two descriptors, the chance that rules them, and what it did."""

    ends: tuple[int, int]
    chance: random.Random
    condition: Condition
    counts: Counts

    def __post_init__(self) -> None:
        self.under_way: list[tuple[float, int, int, bytes]] = []  # due (s), number, to, packet
        self.number = 0
        self.latest = dict.fromkeys(self.ends, 0)

    def change(self, values: dict[str, Any]) -> Counts:
        """Take new values for fields of the condition; counts as they are now."""
        self.condition = replace(self.condition, **values)
        if self.condition.is_cut:
            self.counts.lost += len(self.under_way)
            self.under_way.clear()
        return self.counts

    def take(self, source: int) -> None:
        """Decide what becomes of each packet that waits at an end."""
        to = self.ends[1 - self.ends.index(source)]
        try:
            while True:
                packet = os.read(source, LONGEST_PACKET)
                if packet[0] >> 4 == 4:  # not what the kernel says in IPv6 when nobody asked
                    self.take_one(packet, to)
        except BlockingIOError:
            pass

    def take_one(self, packet: bytes, to: int) -> None:
        now, chance = self.condition, self.chance
        if now.is_cut or chance.random() < now.lost:
            self.counts.lost += 1
            return
        copies = 1
        if chance.random() < now.repeated:
            self.counts.repeated += 1
            copies = 2
        if chance.random() < now.spoilt:
            self.counts.spoilt += 1
            bit = chance.randrange(len(packet) * 8)
            flipped = int.from_bytes(packet, "big") ^ 1 << bit
            packet = flipped.to_bytes(len(packet), "big")
        for _ in range(copies):
            after_ms = now.delay_ms + now.jitter_ms * chance.random()
            self.number += 1
            due = time.monotonic() + after_ms / 1000
            heapq.heappush(self.under_way, (due, self.number, to, packet))

    def hand_over(self) -> float | None:
        """Give packets that are due to the far kernel; seconds until the next one, if there is."""
        while self.under_way:
            wait = self.under_way[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, number, to, packet = heapq.heappop(self.under_way)
            self.counts.carried += 1
            if number < self.latest[to]:
                self.counts.reordered += 1
            self.latest[to] = max(number, self.latest[to])
            try:
                os.write(to, packet)
            except OSError:
                self.counts.lost += 1  # a spoilt version of IP, or no room
        return None


def open_device(name: str, address: str) -> int:
    """A TUN device in the current namespace, of which a read gives one packet.

    Raises OSError or subprocess.CalledProcessError.
    """
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    for command in (("address", "add", f"{address}/24", "dev"), ("link", "set", "up", "dev")):
        subprocess.run(("ip", *command, name), check=True, capture_output=True, text=True)
    return device


def lay(seed: int, net: str) -> Cable:
    """Make the near end, move to a new namespace, make the far end; raises as open_device()."""
    near = open_device(f"slk{os.getpid()}", f"{net}.1")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "a network namespace")
    far = open_device("slk", f"{net}.2")
    return Cable((near, far), random.Random(seed), Condition(), Counts())


def say(what: dict[str, Any]) -> None:
    """A line for the test that started this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Lay the cable, and carry packets until the other end of standard input is gone."""
    number = os.getpid()
    net = f"10.{200 + number % 50}.{number // 50 % 250}"  # two that run at once have two nets
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        say({"impossible": f"{' and '.join(missing)} cannot be found"})
        return
    try:
        cable = lay(int(sys.argv[1]), net)
    except subprocess.CalledProcessError as error:
        say({"impossible": f"{' '.join(error.cmd)}: {error.stderr.strip()}"})
        return
    except OSError as error:
        say({"impossible": str(error)})
        return
    say({"near": f"{net}.1", "namespace": f"/proc/{number}/ns/net"})
    wait = None
    while True:
        ready, _, _ = select.select((sys.stdin, *cable.ends), (), (), wait)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            say(asdict(cable.change(json.loads(line))))
        for end in cable.ends:
            if end in ready:
                cable.take(end)
        wait = cable.hand_over()


if __name__ == "__main__":
    main()
