"""For the clients in Python: reads the questions from standard input and writes an answer a line.

An answer is a JSON array of three texts: the way the client asked, if it has several, the statement, and what came of it.
asked.py says what the questions are; compare.py tells a client where the server is by libpq's environment variables,
which not every driver knows.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

# Runs one statement with its parameters: columns and rows as the driver gives them, in any form that repr() tells apart.
Execute = Callable[[str, tuple], tuple[Any, list]]


class Failed(Exception):
    """The server's error, as its SQLSTATE."""


def read_questions() -> list[list[str]]:
    return [line.rstrip("\n").split("\t") for line in sys.stdin]


def server() -> dict[str, str]:
    """Where the server is and who asks: host, port, user, password, dbname, sslmode, sslrootcert."""
    return {
        "host": os.environ["PGHOST"],
        "port": os.environ["PGPORT"],
        "user": os.environ["PGUSER"],
        "password": os.environ.get("PGPASSWORD", ""),
        "dbname": os.environ["PGDATABASE"],
        "sslmode": os.environ["PGSSLMODE"],
        "sslrootcert": os.environ.get("PGSSLROOTCERT", ""),
    }


def attempt(statement: str, run: Callable[[], Any], way: str = "") -> Any:
    """Answers with what `run` returns, or with its error. Returns it too, or `None`."""
    value = None
    try:
        value = run()
        outcome = repr(value)
    except Failed as failed:
        outcome = f"error {failed}"
    print(json.dumps([way, statement, outcome], ensure_ascii=False), flush=True)
    return value


def ask(questions: list[list[str]], execute: Execute, mark: str, way: str = "") -> None:
    """Answers every question by `execute`. `mark` is the driver's first placeholder."""
    def run(sql: str, values: tuple) -> tuple[Any, list]:
        try:
            return execute(sql, values)
        except (ValueError, OverflowError, TypeError, NotImplementedError) as error:
            # No driver reads and writes every value: Python has no date before the year 1.
            raise Failed(f"of the driver: {type(error).__name__}") from error

    for kind, subject, text in questions:
        if kind == "statement":
            attempt(text, lambda: run(text, ()), way)
            continue
        if kind == "value":
            read, write = f"select {text} as v", f"select $1::{subject} as v"
            about = f" -- {text}"
        else:
            read = f"select {text} as v from {subject} order by id"
            write, about = f"select id from {subject} where {text} = $1 order by id", ""
        came = attempt(read, lambda: run(read, ()), way)
        # What was read goes back as a parameter, as the driver writes a value of its type.
        attempt(write + about, lambda: run(write.replace("$1", mark), (first(came),)), way)


def first(came: tuple[Any, list] | None) -> Any:
    """The value in the first row, to be sent back."""
    if came is None:
        raise Failed("before: there is no value to send")
    return came[1][0][0]
