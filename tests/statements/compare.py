#!/usr/bin/env python3
"""Asks Lakegate and a PostgreSQL that holds the same objects every statement of this folder, and compares the answers.

    compare.py --ours DSN --theirs DSN [--fill] [FILE ...]

Compared are the SQLSTATE, or types of parameters, names, types and modifiers of columns, and rows. What differs must be
listed in different.txt, with its reason; what is listed there must differ. --fill writes that list anew.
"""

import argparse
import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from psycopg import pq

HERE = Path(__file__).parent
LIST = HERE / "different.txt"
UNEXPLAINED = "Not yet explained."
# How much of an answer differs: all of it, its columns, its rows, or only rows that name none of our objects.
ALL, COLUMNS, ROWS, OTHERS = "answer", "columns", "rows", "others"

FIRST_OWN_OID = 16384
OWN_OIDS = """
SELECT oid, 'relation ' || relname FROM pg_class WHERE oid >= 16384
UNION ALL SELECT oid, 'schema ' || nspname FROM pg_namespace WHERE oid >= 16384
UNION ALL SELECT oid, 'type ' || typname FROM pg_type WHERE oid >= 16384
UNION ALL SELECT oid, 'constraint ' || conname FROM pg_constraint WHERE oid >= 16384
UNION ALL SELECT r.oid, 'rule of ' || relname FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE r.oid >= 16384"""
# Roles are the cluster's: other tests make theirs meanwhile.
OTHERS_ROLES = re.compile(r"(?:r[pt]|dp)_\w+$")
OWN_NAMES = re.compile(r"\b(shop|buyers|purchases\w*|purchase_totals|users|employees|Orders|global-flat\S*)\b")


@dataclass(frozen=True)
class Statement:
    """A statement of a file: how it is sent, and with which types of parameters."""

    file: str
    title: str
    is_simple: bool
    parameters: tuple[int, ...]
    text: str

    @property
    def key(self) -> str:
        """The same as long as the statement is."""
        digest = hashlib.sha256(f"{self.is_simple} {self.parameters} {self.text}".encode()).hexdigest()
        return f"{self.file}:{digest[:8]}"


def statements(path: Path) -> list[Statement]:
    found = []
    for piece in path.read_text().split("\n;;\n"):
        lines = piece.strip("\n").split("\n")
        if lines == [""]:
            continue
        title, how = re.fullmatch(r"-- (.*) \[(simple|extended)\]", lines[0]).groups()
        parameters: tuple[int, ...] = ()
        if lines[1].startswith("-- parameters: "):
            parameters = tuple(map(int, lines.pop(1).split()[2:]))
        found.append(Statement(path.name, title, how == "simple", parameters, "\n".join(lines[1:])))
    return found


class Server:
    """A server, asked one statement after the other as by new sessions."""

    def __init__(self, dsn: str):
        self.dsn = dsn
        self.connection = self.connect()
        found = self.connection.exec_(OWN_OIDS.encode())
        assert found.status == pq.ExecStatus.TUPLES_OK, found.error_message
        self.names = {found.get_value(row, 0).decode(): found.get_value(row, 1).decode() for row in range(found.ntuples)}

    def connect(self) -> pq.PGconn:
        connection = pq.PGconn.connect(self.dsn.encode())
        assert connection.status == pq.ConnStatus.OK, connection.error_message
        return connection

    def oid_of(self, relation: str) -> bytes:
        answer = self.connection.exec_(f"SELECT '{relation}'::regclass::oid".encode())
        return answer.get_value(0, 0)

    def value(self, raw: bytes | None) -> str | None:
        if raw is None:
            return None
        text = raw.decode()
        return f"<{self.names[text]}>" if text in self.names else text

    def read(self, answer: pq.PGresult) -> dict:
        """An answer as it is compared."""
        if answer.status == pq.ExecStatus.FATAL_ERROR:
            return {"error": (answer.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode(),
                    "message": (answer.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()}
        if answer.status == pq.ExecStatus.COPY_IN:
            self.connection.put_copy_end()
            return {"columns": "COPY IN", "rows": []}
        if answer.status == pq.ExecStatus.COPY_OUT:
            rows = []
            while (line := self.connection.get_copy_data(0))[0] > 0:
                rows.append((bytes(line[1]).decode("latin1"),))
            return {"columns": "COPY OUT", "rows": rows}
        columns = [(answer.fname(at).decode(), self.value(str(answer.ftype(at)).encode()), answer.fmod(at)) for at in range(answer.nfields)]
        rows = [tuple(self.value(answer.get_value(row, at)) for at in range(answer.nfields)) for row in range(answer.ntuples)]
        return {"columns": columns, "rows": [row for row in rows if not any(OTHERS_ROLES.match(it or "") for it in row)]}

    def ask(self, statement: Statement) -> dict:
        if self.connection.status != pq.ConnStatus.OK:
            self.connection = self.connect()
        while self.connection.get_result() is not None:
            pass
        for reset in ("ROLLBACK", "DISCARD ALL", "SET default_transaction_read_only = on", "SET statement_timeout = '30s'"):
            self.connection.exec_(reset.encode())
        text = re.sub(rb"@@([\w.]+)@@", lambda found: self.oid_of(found[1].decode()), statement.text.encode())
        if statement.is_simple:
            return self.read(self.connection.exec_(text))
        prepared = self.connection.prepare(b"", text, list(statement.parameters) or None)
        if prepared.status == pq.ExecStatus.FATAL_ERROR:
            return self.read(prepared)
        described = self.connection.describe_prepared(b"")
        parameters = [described.param_type(at) for at in range(described.nparams)]
        if parameters:
            return {**self.read(described), "parameters": parameters}
        return self.read(self.connection.exec_prepared(b"", []))


def difference(statement: Statement, ours: dict, theirs: dict) -> str | None:
    """How much of an answer differs."""
    if "error" in ours or "error" in theirs:
        return ALL if ours.get("error") != theirs.get("error") else None
    if ours["columns"] != theirs["columns"] or ours.get("parameters") != theirs.get("parameters"):
        return COLUMNS
    rows = [ours["rows"], theirs["rows"]]
    if not re.search(r"\border\s+by\b", statement.text, re.IGNORECASE):
        rows = [sorted(of, key=str) for of in rows]
    if rows[0] == rows[1] or is_cut_off(statement, rows):
        return None
    own = [[row for row in of if OWN_NAMES.search(str(row))] for of in rows]
    return OTHERS if own[0] == own[1] and (own[0] or all(rows)) else ROWS


def is_cut_off(statement: Statement, rows: list[list]) -> bool:
    """Whether both answers are some of the rows, and which ones, no server promises."""
    limit = re.search(r"\blimit\s+(\d+)\s*;?\s*$", statement.text, re.IGNORECASE)
    ordered = re.search(r"\border\s+by\b", statement.text, re.IGNORECASE)
    return bool(limit) and not ordered and all(len(of) == int(limit[1]) for of in rows)


def listed() -> dict[str, tuple[str, str, str]]:
    """The known differences by their keys: how much, why, and the statement's title."""
    known, reason = {}, ""
    for line in LIST.read_text().splitlines() if LIST.exists() else []:
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        elif line:
            key, how, title = line.split("\t")
            known[key] = (how, reason, title)
    return known


def write(known: dict[str, tuple[str, str, str]]) -> None:
    lines = []
    for reason in dict.fromkeys(reason for _, reason, _ in known.values()):
        lines += ["", f"# {reason}"]
        lines += [f"{key}\t{how}\t{title}" for key, (how, of, title) in known.items() if of == reason]
    LIST.write_text("\n".join(lines[1:]) + "\n")


def shown(answer: dict) -> str:
    if "error" in answer:
        return f"{answer['error']} {answer['message']}"
    rows = answer["rows"]
    return f"{answer.get('parameters', '')}{answer['columns']}\n      {len(rows)} rows: {str(rows[:4])[:600]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--theirs", required=True)
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("files", nargs="*", type=Path, default=sorted(HERE.glob("*.sql")))
    given = parser.parse_args()
    ours, theirs = Server(given.ours), Server(given.theirs)
    known, failures, n_asked, n_equal = listed(), [], 0, 0
    for statement in [it for path in given.files if path.name != "schema.sql" for it in statements(path)]:
        n_asked += 1
        answers = ours.ask(statement), theirs.ask(statement)
        how = difference(statement, *answers)
        n_equal += how is None
        was, reason, _ = known.get(statement.key, (None, UNEXPLAINED, ""))
        if how == was:
            continue
        if given.fill:
            known.pop(statement.key, None)
            if how:
                known[statement.key] = (how, reason, statement.title)
            continue
        text = " ".join(statement.text.split())[:300]
        failures.append(f"{statement.key} {statement.title}: {how or 'nothing'} differs, {was or 'nothing'} is listed\n    {text}\n"
                        f"    - {shown(answers[1])}\n    + {shown(answers[0])}")
    if given.fill:
        write(known)
    print("\n".join(failures))
    print(f"{n_asked} statements, {n_equal} answered alike, {len(known)} listed, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
