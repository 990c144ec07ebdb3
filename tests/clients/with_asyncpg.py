"""asyncpg: every value in binary, types asked of the server; cursors, COPY, and the queries by which it learns of types."""

import asyncio
import io
import ssl
from typing import Any

import asyncpg

import answers


async def connect() -> asyncpg.Connection:
    server = answers.server()
    context: Any = False
    if server["sslmode"] != "disable":
        context = ssl.create_default_context(cafile=server["sslrootcert"])
    return await asyncpg.connect(
        host=server["host"], port=int(server["port"]), user=server["user"], database=server["dbname"],
        password=server["password"] or None, ssl=context)


async def fetched(connection: asyncpg.Connection, sql: str, values: tuple) -> tuple[Any, list]:
    statement = await connection.prepare(sql)
    columns = [(column.name, column.type.oid, column.type.name) for column in statement.get_attributes()]
    parameters = [parameter.oid for parameter in statement.get_parameters()]
    rows = [list(row) for row in await statement.fetch(*values)]
    return (columns, parameters), rows


def waiting(loop: asyncio.AbstractEventLoop, make: Any) -> Any:
    """Runs a coroutine; the server's errors by their code, the driver's own by their name."""
    try:
        return loop.run_until_complete(make())
    except asyncpg.PostgresError as error:
        raise answers.Failed(error.sqlstate) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise answers.Failed(f"of the driver: {type(error).__name__}") from error


async def by_cursor(connection: asyncpg.Connection) -> list:
    came = []
    async with connection.transaction():
        cursor = await connection.cursor("select n from generate_series(1, 120) as g(n) where n <> $1 order by n", 7)
        came.append([row["n"] for row in await cursor.fetch(10)])
        came.append(await cursor.forward(20))
        came.append((await cursor.fetchrow())["n"])
        came.append([row["n"] async for row in connection.cursor("select n from generate_series(1, 120) as g(n)", prefetch=50)])
    return came


async def copied(connection: asyncpg.Connection, form: str) -> bytes:
    out = io.BytesIO()
    await connection.copy_from_query("select id, label, price from every_type.samples where id < $1 order by id", 4,
                                     output=out, format=form)
    return out.getvalue()


async def nested_transactions(connection: asyncpg.Connection) -> list:
    came = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        came.append(await connection.fetchval("select 1"))
        try:
            async with connection.transaction():
                await connection.fetchval("select 1/0")
        except asyncpg.DivisionByZeroError as error:
            came.append(error.sqlstate)
        came.append(await connection.fetchval("select 2"))
    return came


async def reset(connection: asyncpg.Connection) -> str:
    await connection.execute("set timezone = 'Europe/Oslo'")
    await connection.reset()
    return await connection.fetchval("select current_setting('timezone')")


def main() -> None:
    questions = answers.read_questions()
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(connect())
    answers.ask(questions, lambda sql, values: waiting(loop, lambda: fetched(connection, sql, values)), "$1")
    extras = {
        "a cursor": lambda: by_cursor(connection),
        "nested transactions": lambda: nested_transactions(connection),
        "copy csv": lambda: copied(connection, "csv"),
        "copy binary": lambda: copied(connection, "binary"),
        "reset": lambda: reset(connection),
    }
    for label, make in extras.items():
        answers.attempt(label, lambda: waiting(loop, make))
    loop.run_until_complete(connection.close())


main()
