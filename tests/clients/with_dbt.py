"""dbt over its PostgreSQL adapter: a project of views is checked, run twice, tested and documented."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg2
from dbt.cli.main import dbtRunner

import answers

PROJECT = Path(__file__).parent / "dbt"
# The second run puts each view in the place of the one that is there.
COMMANDS = (["debug"], ["run"], ["run"], ["test"], ["source", "freshness"], ["docs", "generate"], ["build"],
            ["show", "--inline", "select count(*) as n from {{ ref('per_buyer') }}"], ["run", "--full-refresh", "--select", "per_buyer"])
VIEWS = ("paid_purchases", "per_buyer", '"by month"')


def run(folder: Path, command: list[str]) -> Any:
    """Whether it succeeded, and what became of each of its nodes."""
    about = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--log-level", "none"]
    came = dbtRunner().invoke([*command, *about])
    results = getattr(came.result, "results", None) or []
    return came.success, repr(came.exception), sorted(
        (result.node.name, str(result.status), result.message if str(result.status) in ("error", "fail") else "")
        for result in results if hasattr(result, "node"))


def catalog(folder: Path) -> list:
    """What `docs generate` found of sources and models: all but when it was."""
    found = json.loads((folder / "target/catalog.json").read_text())
    return [found["errors"], *sorted((name, json.dumps(node, sort_keys=True)) for kind in ("nodes", "sources")
                                     for name, node in found[kind].items())]


def rows(query: str) -> list:
    server = answers.server()
    with psycopg2.connect(host=server["host"], port=server["port"], user=server["user"], dbname=server["dbname"]) as connection:
        with connection.cursor() as cursor:
            try:
                cursor.execute(query)
                return cursor.fetchall()
            except psycopg2.Error as error:
                raise answers.Failed(error.pgcode) from error


def main() -> None:
    sys.stdin.read()
    with tempfile.TemporaryDirectory(prefix="lakegate-dbt-") as name:
        folder = Path(name, "project")
        shutil.copytree(PROJECT, folder)
        for number, command in enumerate(COMMANDS):
            answers.attempt(f"{number}: dbt {' '.join(command)}", lambda: run(folder, command))
        answers.attempt("catalog.json", lambda: catalog(folder))
    for view in VIEWS:
        answers.attempt(f"rows of {view}", lambda: sorted(rows(f"select * from analytics.{view}"), key=str))
    answers.attempt("comments", lambda: rows(
        "select relname, objsubid, description from pg_description join pg_class c on c.oid = objoid"
        " join pg_namespace n on n.oid = relnamespace where nspname = 'analytics' order by 1, 2"))


main()
sys.stdout.flush()
# dbt's pools of threads complain when they are taken down with the interpreter.
os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
