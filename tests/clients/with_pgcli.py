"""pgcli: what it reads to complete names, its commands that begin with a backslash, what it then proposes, and the program itself."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from pgcli.completion_refresher import CompletionRefresher
from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial
from prompt_toolkit.document import Document

import answers

# The one that is asked: a server may have others.
DATABASE = os.environ["PGDATABASE"]
DATABASES = rf"\l+ {DATABASE}"
# Lakegate's own schema, which PostgreSQL does not have.
OWN_SCHEMA = "lakegate"
OF_COMPLETION = ("schemata", "tables", "views", "table_columns", "view_columns", "foreignkeys", "functions", "datatypes", "casing",
                 "search_path")
COMMANDS = (
    DATABASES, r"\du postgres", r"\dp shop.*", r"\ddp", r"\db", r"\dn", r"\dn+ shop", r"\dx", r"\dt", r"\dt shop.*", r"\dt+ public.users",
    r"\dv shop.*", r"\dm", r"\ds", r"\di shop.*", r"\df shop.*", r"\df pg_catalog.array_a*", r"\dT", r"\dT+ shop.*", r"\dD", r"\dF",
    r"\dE", r"\d", r"\d shop.buyers", r"\d+ shop.buyers", r"\d shop.purchases", r"\d shop.purchase_totals", r"\d+ shop.mv",
    r'\d public."Orders"', r"\d no_such_table", r"\sf pg_catalog.array_agg", r"\sf no_such_function", "describe shop.buyers")
STATEMENTS = ("select id, name, tags, upd from shop.buyers order by id limit 3", "select 1/0", "show server_version_num",
              "explain_is_no_statement", "select count(*) from shop.purchases; select 2 as two")
TYPED = ("select * from sh", "select * from shop.", "select * from shop.buyers b where b.", "select * from shop.buyers b join shop.purchases p on ",
         'select "', "select array_app", "select id::timest", "select * from public.", "select u. from users u", r"\d shop.pur")


def told(rows: Any) -> Any:
    """What came, without what is Lakegate's own, in an order of its own."""
    return sorted(str(row) for row in rows if OWN_SCHEMA not in str(row))


def attempt(name: str, run: Callable[[], Any]) -> None:
    def guarded() -> Any:
        try:
            return run()
        except psycopg.Error as error:
            raise answers.Failed(error.sqlstate or str(error)) from error
    answers.attempt(name, guarded)


def ran(executor: PGExecute, special: PGSpecial, text: str) -> list:
    """A line typed at the prompt: title, rows, headers and status of each of its parts."""
    results = executor.run(text, special, on_error_resume=True)
    return [(title, list(rows) if rows else rows, headers, status) for title, rows, headers, status, *_ in results]


def completed(executor: PGExecute, special: PGSpecial) -> Any:
    """pgcli's completer with all that its refreshers read."""
    made = []
    CompletionRefresher()._bg_refresh(executor, special, [made.append])
    return made[0]


def program(*arguments: str) -> list:
    """The program as a user starts it: its status and what it printed."""
    # Its settings and history lie in the home of who starts it.
    with tempfile.TemporaryDirectory(prefix="lakegate-pgcli-") as home:
        return started(home, arguments)


def started(home: str, arguments: tuple[str, ...]) -> list:
    environment = os.environ | {"HOME": home, "PAGER": "cat", "LANG": "C.UTF-8"}
    came = subprocess.run([Path(sys.executable).with_name("pgcli"), "--no-password", *arguments], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    lines = came.stdout.replace(os.environ["PGPORT"], "PORT").splitlines()
    return [came.returncode, [line for line in lines if "--list" not in arguments or DATABASE in line]]


def main() -> None:
    sys.stdin.read()
    # Statements that fail are logged, with where in the program.
    logging.disable(logging.CRITICAL)
    server, special = answers.server(), PGSpecial()
    executor = PGExecute(server["dbname"], server["user"], server["password"], server["host"], server["port"], None)
    for name in OF_COMPLETION:
        attempt(name, lambda: told(getattr(executor, name)()))
    attempt("databases", lambda: DATABASE in executor.databases() and DATABASE in executor.full_databases())
    attempt("get_timezone", executor.get_timezone)
    for text in COMMANDS + STATEMENTS:
        attempt(text, lambda: ran(executor, special, text))
    attempt("view_definition", lambda: executor.view_definition("shop.mv"))
    completer = completed(executor, special)
    for text in TYPED:
        proposals = completer.get_completions(Document(text, len(text)), None)
        answers.attempt(f"complete: {text}", lambda: told([proposal.text for proposal in proposals]))
    attempt("pgcli --ping", lambda: program("--ping"))
    attempt("pgcli --list", lambda: program("--list"))
    attempt("pgcli -c", lambda: program("-c", r"\d shop.buyers", "-c", "select count(*) from shop.purchases"))


main()
