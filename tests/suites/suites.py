#!/usr/bin/env python3
"""The own test suites of psycopg, asyncpg and node-postgres, on PostgreSQL and on Lakegate.

    scripts/with_servers .venv/bin/python tests/suites/suites.py --program target/debug/lakegate \\
        --psycopg CHECKOUT --asyncpg CHECKOUT --node-pg CHECKOUT [--work FOLDER] [--failures]

See README.md beside this file for what is counted. Any of the three may be left out.
"""

import argparse
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# The drivers that are tested; each checkout has to be of the same release.
PSYCOPG, ASYNCPG, NODE_PG = "3.3.4", "0.32.0", "8.23.0"
PYTHON_PACKAGES = [f"psycopg[binary]=={PSYCOPG}", "psycopg_pool", f"asyncpg=={ASYNCPG}", "anyio", "distro",
                   "dnspython", "pproxy", "pytest", "pytest-timeout", "uvloop"]
NODE_PACKAGES = [f"pg@{NODE_PG}", "async@2.6.4", "bluebird@3.7.2", "co@4.6.0", "pg-copy-streams@0.3.0"]
# Not about the server: pools, other servers, type checkers, gevent, programs; and async twins of sync tests.
PSYCOPG_IGNORED = ["--ignore=tests/pool", "--ignore=tests/crdb", "--ignore=tests/scripts", "--ignore-glob=tests/*_async.py",
                   "--ignore=tests/test_gevent.py", "--ignore=tests/test_typing.py", "-m", "not slow and not proxy"]
PSYCOPG_TIMEOUT, ASYNCPG_TIMEOUT, NODE_TIMEOUT = 25, 40, 30  # Seconds for a test, or a file of node-postgres.

Outcomes = dict[str, tuple[str, str]]


def run(command: list, log: Path, **options) -> None:
    """A suite fails where tests do; what it says is in its log."""
    with open(log, "wb") as out:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False, **options)


def outcomes(report: Path) -> Outcomes:
    """pass, skip or fail by test, with the last line of what went wrong."""
    found: Outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        wrong = [part for part in case if part.tag in ("failure", "error")]
        if wrong:
            lines = [line for line in (wrong[0].text or "").splitlines() if re.match(r"(E\s+)?[\w.]+(Error|Supported|Function)\b", line)]
            found[name] = ("fail", (lines or [wrong[0].get("message") or ""])[-1])
        else:
            found[name] = ("skip" if any(part.tag == "skipped" for part in case) else "pass", "")
    return found


class Suites:
    def __init__(self, work: Path):
        self.work = work
        self.python = work / "venv/bin/python"
        self.node = work / "node"

    def install(self, node_pg: Path | None) -> None:
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", self.work / "venv"], check=True)
        subprocess.run([self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PYTHON_PACKAGES], check=True)
        if node_pg:
            self.node.mkdir(exist_ok=True)
            (self.node / "package.json").write_text('{"private": true}')
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *NODE_PACKAGES],
                           cwd=self.node, check=True, stdout=subprocess.DEVNULL)
            shutil.copytree(node_pg / "packages/pg/test", self.node / "node_modules/pg/test", dirs_exist_ok=True)

    def copy(self, name: str, checkout: Path) -> Path:
        """The tests without the driver's source beside them, which would be imported instead of what is installed."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copytree(checkout / "tests", folder / "tests")
        shutil.copy(checkout / "pyproject.toml", folder)
        return folder

    def psycopg(self, checkout: Path, server: str, host: str, port: str) -> Outcomes:
        report = self.work / f"psycopg-{server}.xml"
        run([self.python, "-m", "pytest", "tests", "-q", "--timeout", str(PSYCOPG_TIMEOUT), *PSYCOPG_IGNORED,
             f"--junitxml={report}", f"--test-dsn=host={host} port={port} user=postgres dbname=postgres"],
            report.with_suffix(".log"), cwd=self.copy("psycopg", checkout))
        return outcomes(report)

    def asyncpg(self, checkout: Path, server: str, host: str, port: str) -> Outcomes:
        report = self.work / f"asyncpg-{server}.xml"
        run([self.python, "-m", "pytest", "tests", "-q", "--timeout", str(ASYNCPG_TIMEOUT), f"--junitxml={report}"],
            report.with_suffix(".log"), cwd=self.copy("asyncpg", checkout), env=driver_environment(host, port))
        return outcomes(report)

    def node_pg(self, _: Path, server: str, host: str, port: str) -> Outcomes:
        found: Outcomes = {}
        package = self.node / "node_modules/pg"
        log = self.work / f"node_pg-{server}.log"
        for file in sorted((package / "test/integration").rglob("*-tests.js")):
            with open(log, "wb") as out:
                try:
                    ended = subprocess.run(["node", file, "postgres://"], cwd=package, timeout=NODE_TIMEOUT, stdout=out,
                                           stderr=subprocess.STDOUT, env=driver_environment(host, port), check=False)
                    is_done = ended.returncode == 0
                except subprocess.TimeoutExpired:
                    is_done = False
            last = [line for line in log.read_text(errors="replace").splitlines() if "rror:" in line]
            name = str(file.relative_to(package / "test/integration"))
            found[name] = ("pass", "") if is_done else ("fail", (last or [""])[-1])
        return found


def driver_environment(host: str, port: str) -> dict:
    return {**os.environ, "PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": "postgres", "PGPASSWORD": "none"}


def read_only(python: Path, host: str, port: str, value: str) -> None:
    """What then passes on PostgreSQL writes nothing: it refuses every statement that would."""
    statements = f"""
import psycopg
connection = psycopg.connect("host={host} port={port} user=postgres dbname=postgres", autocommit=True)
connection.execute("ALTER SYSTEM SET default_transaction_read_only = {value}")
connection.execute("SELECT pg_reload_conf()")
"""
    subprocess.run([python, "-c", statements], check=True)


def start(program: Path, folder: Path) -> tuple[subprocess.Popen, str, str]:
    lake = folder / "lake"
    lake.mkdir()
    gateway = subprocess.Popen([program, "serve", "--lake", lake, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                               stderr=open(folder / "lakegate.log", "wb"), text=True)
    line = gateway.stdout.readline()
    ready = re.search(r"ready on ([\d.]+):(\d+)", line)
    if not ready:
        sys.exit(f"lakegate did not start: {line}")
    return gateway, ready[1], ready[2]


def report(name: str, theirs: Outcomes, ours: Outcomes, shows_failures: bool) -> None:
    counted = [test for test, (outcome, _) in theirs.items() if outcome == "pass"]
    passed = [test for test in counted if ours.get(test, ("missing", ""))[0] == "pass"]
    print(f"{name}: {len(passed)} of {len(counted)} = {len(passed) / max(len(counted), 1):.1%}"
          f" ({len(theirs) - len(counted)} of {len(theirs)} do not pass on a PostgreSQL that may not write)")
    if shows_failures:
        causes = collections.defaultdict(list)
        for test in set(counted) - set(passed):
            causes[re.sub(r"\d{3,}", "#", ours.get(test, ("", "not run"))[1])[:160]].append(test)
        for cause, tests in sorted(causes.items(), key=lambda it: -len(it[1])):
            print(f"    {len(tests):4} {cause}    {min(tests)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True, help="lakegate")
    for suite in ("psycopg", "asyncpg", "node-pg"):
        parser.add_argument(f"--{suite}", type=Path, help="a checkout of the driver's release")
    parser.add_argument("--work", type=Path, help="where packages and reports are kept; else a temporary folder")
    parser.add_argument("--failures", action="store_true", help="print the causes")
    given = parser.parse_args()
    host, port = os.environ["LAKEGATE_TEST_POSTGRES"].split(":")
    with tempfile.TemporaryDirectory(prefix="lakegate-suites-") as folder:
        work = (given.work or Path(folder) / "work").resolve()
        work.mkdir(parents=True, exist_ok=True)
        suites = Suites(work)
        suites.install(given.node_pg)
        gateway, own_host, own_port = start(given.program, Path(folder))
        try:
            read_only(suites.python, host, port, "on")
            for suite in ("psycopg", "asyncpg", "node_pg"):
                checkout = getattr(given, suite)
                if checkout:
                    theirs = getattr(suites, suite)(checkout, "postgres", host, port)
                    began = time.monotonic()
                    ours = getattr(suites, suite)(checkout, "lakegate", own_host, own_port)
                    report(suite, theirs, ours, given.failures)
                    print(f"    {time.monotonic() - began:.0f} s on Lakegate, which is {'alive' if gateway.poll() is None else 'DEAD'}", flush=True)
        finally:
            read_only(suites.python, host, port, "off")
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(timeout=60)


if __name__ == "__main__":
    main()
