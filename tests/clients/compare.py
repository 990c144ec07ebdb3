#!/usr/bin/env python3
"""Runs one client program against Lakegate and against PostgreSQL, and prints where its answers differ.

    compare.py PROGRAM --ours HOST:PORT --theirs HOST:PORT [--database NAME] [--root-certificate FILE] [--fill]

With a root certificate the client comes over TLS, checks the certificate, and authenticates by the password in
PGPASSWORD; without one it comes in plain, and is asked more. Answers must be equal, but for those in different.txt.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import asked
import different

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# A client that hangs is ended, and what it had answered is in the failure.
SECONDS_MAX = 240

# What runs each of the client programs.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar"]
PROGRAMS = {
    **{name: [sys.executable, HERE / f"with_{name}.py"]
       for name in ("libpq", "psycopg", "psycopg2", "asyncpg", "pg8000", "sqlalchemy", "adbc", "connectorx")},
    "odbc": [sys.executable, HERE / "with_odbc.py", "prepare"],
    "odbc_declare_fetch": [sys.executable, HERE / "with_odbc.py", "declare_fetch"],
    "node_pg": ["node", HERE / "with_node_pg.cjs"],
    "postgres_js": ["node", HERE / "with_postgres_js.cjs"],
    "jdbc": [*JAVA, HERE / "WithJdbc.java"],
    "jdbc_metadata": [*JAVA, HERE / "JdbcMetadata.java", "extended"],
    "odbc_catalog": [sys.executable, HERE / "with_odbc_catalog.py"],
    "pgcli": [sys.executable, HERE / "with_pgcli.py"],
    "dbt": [ROOT / ".tools/dbt/bin/python", HERE / "with_dbt.py"],
    "superset": [ROOT / ".tools/superset/bin/python", "-W", "ignore", HERE / "with_superset.py"],
    "sqlalchemy_inspection": [sys.executable, HERE / "with_sqlalchemy_inspection.py", "psycopg"],
    "sqlalchemy_1_4_inspection": [ROOT / ".tools/superset/bin/python", HERE / "with_sqlalchemy_inspection.py", "psycopg2"],
}


def started(program: str, address: str, given: argparse.Namespace, questions: Path, out: Path) -> subprocess.Popen:
    host, port = address.split(":")
    environment = os.environ | {
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": os.environ.get("PGUSER", "postgres"),
        "PGDATABASE": given.database,
        "PGSSLMODE": "verify-full" if given.root_certificate else "disable",
        "PGSSLROOTCERT": given.root_certificate or "",
        "PGGSSENCMODE": "disable",
        "PGTZ": "UTC",
        "TZ": "UTC",
        "NODE_PATH": str(ROOT / ".tools/node_modules"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with open(questions) as asked_for, open(out, "w") as answered:
        return subprocess.Popen(PROGRAMS[program], stdin=asked_for, stdout=answered, stderr=subprocess.STDOUT, env=environment)


def answers(program: str, process: subprocess.Popen, out: Path) -> dict[tuple[str, str], str]:
    """A program's answers by client, which is the program and its way of asking, and statement."""
    try:
        process.wait(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        sys.exit(f"{program} did not end within {SECONDS_MAX} s:\n{out.read_text()[-3000:]}")
    came, others = {}, []
    for line in out.read_text().splitlines():
        try:
            way, statement, outcome = json.loads(line)
        except ValueError:
            others.append(line)
            continue
        asked_by = f"{program}:{way}" if way else program
        assert (asked_by, statement) not in came, f"{asked_by} answered twice: {statement}"
        came[asked_by, statement] = outcome
    if process.returncode != 0 or others:
        sys.exit(f"{program} ended with {process.returncode} after {len(came)} answers:\n" + "\n".join(others[-60:]))
    return came


def shown(expected: str, came: str) -> str:
    """Both answers, or, where they have lines, those that differ."""
    lines = list(difflib.unified_diff(expected.split("\n"), came.split("\n"), n=0, lineterm=""))[2:]
    return "\n".join(f"  {line[0]} {line[1:]}" for line in lines if not line.startswith("@@"))


def failures(program: str, ours: dict[tuple[str, str], str], theirs: dict[tuple[str, str], str], complete: bool) -> list[str]:
    assert list(ours) == list(theirs), f"not the same statements were run: {set(ours) ^ set(theirs)}"
    # A client that fails in most of what it does would agree with itself.
    failed = sum(outcome.startswith("error") for outcome in theirs.values())
    assert len(theirs) > 6 * failed, f"{failed} of {len(theirs)} statements failed on PostgreSQL"
    known = {(client, entry.statement) for entry in different.read()[1] for client in entry.clients}
    found = []
    for client, statement in known - theirs.keys():
        if complete and client.partition(":")[0] == program:
            found.append(f"{client}: {statement}: listed as different, but not asked")
    for asked_for, expected in theirs.items():
        client, statement = asked_for
        if ours[asked_for] != expected and asked_for not in known:
            found.append(f"{client}: {statement}\n{shown(expected, ours[asked_for])}")
        if ours[asked_for] == expected and asked_for in known:
            found.append(f"{client}: {statement}: no longer different, so take it off the list")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--theirs", required=True)
    parser.add_argument("--database", default="postgres")
    parser.add_argument("--root-certificate")
    parser.add_argument("--fill", action="store_true", help="write into different.txt what differs, and what no longer does")
    given = parser.parse_args()
    # Values do not change with the transport.
    brief = given.root_certificate is not None
    with tempfile.TemporaryDirectory(prefix="lakegate-client-") as folder:
        questions, outs = Path(folder, "questions"), [Path(folder, name) for name in ("ours", "theirs")]
        questions.write_text("".join("\t".join(question) + "\n" for question in asked.questions(brief)))
        # Both at once, in files, so that neither waits for the other.
        both = [started(given.program, address, given, questions, out)
                for address, out in zip((given.ours, given.theirs), outs)]
        ours, theirs = [answers(given.program, process, out) for process, out in zip(both, outs)]
    if given.fill:
        differing = {asked_for: ours.get(asked_for) != theirs[asked_for] for asked_for in theirs}
        different.fill(given.program, differing, complete=not brief)
    found = failures(given.program, ours, theirs, complete=not brief)
    print("\n".join(found))
    print(f"{given.program}: {len(theirs)} answers, {len(found)} failures")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
