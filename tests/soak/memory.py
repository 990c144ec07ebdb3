#!/usr/bin/env python3
"""A bounded count of statements with results of one row to a million: memory stays within what is configured.

    tests/soak/memory.py --program target/demo/lakegate [--statements 20000] [--seed N]

Eight sessions ask over a Delta table of a million rows, each result for its number of rows; some leave in the middle of one.
The table is appended to now and then, so that answers, snapshots and footers are kept and go. What the gateway may take beside
its own program is the sum of `max_bytes` in `lakegate.cache` and of --memory-mib, and a fifth more. The most that it took is
printed.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from soak import Session, resident_mib

N_SESSIONS = 8
N_ROWS = 1_000_000
MEMORY_MIB = 384
CACHE_MIB = 128
# How many rows a result has, and how often of a hundred it has as many.
SIZES = [(1, 50), (100, 25), (10_000, 17), (100_000, 6), (N_ROWS, 2)]
APPENDED_EVERY = 500
TOLERANCE = 1.2


def rows(n_rows: int) -> pa.Table:
    ids = range(n_rows)
    return pa.table({"id": pa.array(ids, pa.int64()), "word": [f"word {number % 1000}" for number in ids]})


def start(program: Path, lake: Path, state: Path) -> tuple[subprocess.Popen, int]:
    budgets = ["--memory-mib", str(MEMORY_MIB), "--cache-mib", str(CACHE_MIB)]
    arguments = [program, "serve", "--listen", "127.0.0.1:0", "--lake", lake, "--state", state, *budgets]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    return process, int(line.split("127.0.0.1:")[1].split()[0])


class Askers:
    """Sessions that ask until so many statements were asked."""

    def __init__(self, port: int, table: Path, n_statements: int, seed: int):
        self.port, self.table, self.n_left, self.failures = port, table, n_statements, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(seed + number,)) for number in range(N_SESSIONS)]

    def next(self) -> int | None:
        with self.lock:
            self.n_left -= 1
            return self.n_left if self.n_left >= 0 else None

    def run(self, seed: int) -> None:
        chance = random.Random(seed)
        session = Session(self.port)
        try:
            while (number := self.next()) is not None and not self.failures:
                if number % APPENDED_EVERY == 0:
                    write_deltalake(self.table, rows(10), mode="append")
                n_rows = chance.choices([size for size, _ in SIZES], [share for _, share in SIZES])[0]
                # Some are asked again, most are new.
                shift = chance.randrange(3 if chance.random() < 0.3 else 10**6)
                session.ask(f"select id + {shift} as id, word from s.t where id < {n_rows} limit {n_rows}")
                if chance.random() < 0.01:
                    session.close()
                    session = Session(self.port)
                    continue
                self.check(session, n_rows)
            session.close()
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")

    def check(self, session: Session, expected: int) -> None:
        n_rows, error = 0, b""
        while True:
            head = session.buffer.read(5)
            body = session.buffer.read(int.from_bytes(head[1:], "big") - 4)
            n_rows += head[:1] == b"D"
            error = body if head[:1] == b"E" else error
            if head[:1] == b"Z":
                break
        assert n_rows == expected and not error, f"{n_rows} rows instead of {expected}: {error!r}"


def budget_mib(port: int) -> float:
    session = Session(port)
    session.ask("select sum(max_bytes) from lakegate.cache")
    value, error = session.answer()
    session.close()
    assert not error, error
    return MEMORY_MIB + float(value) / (1 << 20)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--statements", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    lake, state = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    write_deltalake(lake / "s/t", rows(N_ROWS))
    process, port = start(given.program, lake, state)
    try:
        own = resident_mib(process)
        allowed = own + budget_mib(port) * TOLERANCE
        askers = Askers(port, lake / "s/t", given.statements, given.seed)
        most = 0.0
        for thread in askers.threads:
            thread.start()
        while any(thread.is_alive() for thread in askers.threads):
            most = max(most, resident_mib(process))
            time.sleep(0.1)
        print(f"{given.statements} statements: at most {most:.0f} MiB resident, {allowed:.0f} MiB allowed")
        for failure in askers.failures:
            print(failure)
        return 1 if askers.failures or most > allowed else 0
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(lake)
        shutil.rmtree(state)


if __name__ == "__main__":
    sys.exit(main())
