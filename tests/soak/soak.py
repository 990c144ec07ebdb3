#!/usr/bin/env python3
"""Minutes of load from clients of which many misbehave; answers, memory and the log are watched.

    tests/soak/soak.py --program target/demo/lakegate --minutes 10

Some sessions ask and check their answers, some cancel, some leave in the middle of a result, some do not read, some
send bytes that are no messages. It passes if every answer was right, a probe was served within three seconds at all
times, memory at the end is near that after the first minute, and nothing panicked.
"""

import argparse
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LAKE = Path(__file__).resolve().parent.parent / "data/lake"
N_SESSIONS = 12
PROBE_SECONDS_MAX = 3.0
GROWTH_MIB_MAX = 100
# Each with the first value of its only row.
QUERIES = [
    ("select count(*) from silver.items", b"782"),
    ("select count(*) from silver.orders", b"390"),
    ("select sum(n) from silver.counters", b"1770"),
    ("select count(*) from bronze.events where year = 2026", b"300"),
    ("select count(*) from silver.orders o join bronze.users u using (user_id)", b"390"),
    ("select count(*) from generate_series(1, 20000) as g(n)", b"20000"),
]
ENDLESS = ("select a.n, repeat('x', 500) from generate_series(1, 1000000) as a(n), "
           "generate_series(1, 1000000) as b(n)")


class Session:
    """A connection of the protocol, over a raw socket."""

    def __init__(self, port: int):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.buffer = self.socket.makefile("rb")
        body = struct.pack("!i", 196608) + b"user\0soak\0\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.key = b""
        self.answer()

    def ask(self, sql: str) -> None:
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)

    def answer(self) -> tuple[bytes, bytes]:
        """The first row's first value, and an error's fields."""
        value = error = b""
        while True:
            tag, length = struct.unpack("!ci", self.buffer.read(5))
            body = self.buffer.read(length - 4)
            if tag == b"K":
                self.key = body
            elif tag == b"E":
                error = body
            elif tag == b"D" and not value:
                value = body[6:6 + struct.unpack("!i", body[2:6])[0]]
            elif tag == b"Z":
                return value, error

    def cancel(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as other:
            other.sendall(struct.pack("!ii", 8 + len(self.key), 80877102) + self.key)
            other.recv(1)

    def close(self) -> None:
        self.buffer.close()
        self.socket.close()


def checks(port: int, rng: random.Random) -> None:
    session = Session(port)
    for _ in range(20):
        sql, expected = rng.choice(QUERIES)
        session.ask(sql)
        value, error = session.answer()
        assert (value, error) == (expected, b""), f"{sql}: {value!r} {error!r}"
    session.close()


def cancels(port: int, rng: random.Random) -> None:
    session = Session(port)
    session.ask(ENDLESS)
    session.buffer.read(rng.randrange(1, 50_000))
    session.cancel()
    # The rest of a cut message is read away with the rows; the end is the error.
    rest = b""
    while b"C57014\0" not in rest:
        read = session.socket.recv(65536)
        assert read, "closed instead of cancelled"
        rest = rest[-64:] + read
    session.close()


def leaves(port: int, rng: random.Random) -> None:
    session = Session(port)
    session.ask(ENDLESS)
    session.buffer.read(rng.randrange(1, 200_000))
    if rng.random() < 0.5:
        # A reset instead of an orderly end.
        session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    session.close()


def does_not_read(port: int, rng: random.Random) -> None:
    session = Session(port)
    session.ask(ENDLESS)
    time.sleep(rng.uniform(0, 5))
    session.close()


def babbles(port: int, rng: random.Random) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger:
        stranger.sendall(rng.randbytes(rng.randrange(1, 4096)))
        stranger.shutdown(socket.SHUT_WR)
        try:
            while stranger.recv(65536):
                pass
        except ConnectionResetError:
            pass


HABITS = [checks, checks, checks, cancels, leaves, does_not_read, babbles]


def resident_mib(process: subprocess.Popen) -> float:
    return int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


class Load:
    """Sessions that come and go until told to stop; what went wrong."""

    def __init__(self, port: int):
        self.port, self.over, self.failures, self.n_done = port, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(seed,)) for seed in range(N_SESSIONS)]

    def run(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self.over.is_set() and not self.failures:
            habit = rng.choice(HABITS)
            try:
                habit(self.port, rng)
                self.n_done += 1
            except Exception as error:
                self.failures.append(f"{habit.__name__}: {error!r}")


def watch(process: subprocess.Popen, port: int, load: Load, minutes: float) -> None:
    end, settled, slowest = time.monotonic() + minutes * 60, None, 0.0
    started = time.monotonic()
    while time.monotonic() < end and not load.failures and process.poll() is None:
        asked = time.monotonic()
        probe = Session(port)
        probe.ask("select count(*) from silver.orders")
        assert probe.answer()[0] == b"390"
        probe.close()
        took = time.monotonic() - asked
        slowest = max(slowest, took)
        if took > PROBE_SECONDS_MAX:
            load.failures.append(f"a probe took {took:.1f} s")
        if settled is None and asked - started > min(60, minutes * 30):
            settled = resident_mib(process)
        time.sleep(0.5)
    now = resident_mib(process)
    print(f"{load.n_done} sessions, slowest probe {slowest:.2f} s, memory {settled or now:.0f} MiB settled, {now:.0f} MiB now")
    if settled is not None and now > settled + GROWTH_MIB_MAX:
        load.failures.append("memory grew")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([arguments.program, "serve", "--lake", LAKE, "--listen", "127.0.0.1:0"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0].rstrip(","))
            load = Load(port)
            for thread in load.threads:
                thread.start()
            try:
                watch(process, port, load, arguments.minutes)
            finally:
                load.over.set()
                for thread in load.threads:
                    thread.join()
        finally:
            process.terminate()
            status = process.wait(timeout=60)
        log.seek(0)
        said = log.read().decode(errors="replace")
    if "panicked" in said:
        load.failures.append("it panicked: " + said[said.index("panicked"):][:300])
    if status != 0:
        load.failures.append(f"it ended with status {status}")
    print("\n".join(load.failures))
    return 1 if load.failures else 0


if __name__ == "__main__":
    sys.exit(main())
