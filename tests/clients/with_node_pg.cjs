// node-postgres: values in text, prepared statements by name, cursors that read on after Flush, and several clients of a pool.
"use strict";

const Cursor = require("pg-cursor");
const pg = require("pg");
const { ask, attempt, codeOf, server } = require("./answers.cjs");

function executor(client) {
  return async (sql, values) => {
    const result = await client.query({ text: sql, values, rowMode: "array" });
    return { columns: result.fields.map((field) => [field.name, field.dataTypeID, field.dataTypeModifier, field.format]), rows: result.rows };
  };
}

async function byCursor(client) {
  const cursor = client.query(new Cursor("select n from generate_series(1, $1) as g(n) order by n", [25], { rowMode: "array" }));
  const came = [];
  for (const count of [10, 10, 10, 10]) came.push(await cursor.read(count));
  await cursor.close();
  const closed = client.query(new Cursor("select n from generate_series(1, 1000000) as g(n)"));
  await closed.read(3);
  await closed.close();
  came.push((await client.query("select 'usable' as after")).rows);
  return came;
}

async function prepared(client) {
  const came = [];
  for (let n = 0; n < 3; n += 1) {
    const result = await client.query({ name: "by id", text: "select id, label from every_type.samples where id = $1", values: [n] });
    came.push(result.rows, result.command, result.rowCount);
  }
  return came;
}

async function several(client) {
  const results = await client.query("select 1 as a; select 2 as b; begin; select 3 as c; commit");
  const came = results.map((result) => [result.command, result.rowCount, result.rows]);
  try {
    await client.query("select 4; select 1/0; select 5");
  } catch (error) {
    came.push(codeOf(error));
  }
  return came;
}

async function pooled() {
  const pool = new pg.Pool({ ...server(), max: 4 });
  const results = await Promise.all(Array.from({ length: 12 }, (_, n) => pool.query("select $1::int4 * 2 as n", [n])));
  await pool.end();
  return results.map((result) => result.rows[0].n);
}

async function binary() {
  const client = new pg.Client({ ...server(), binary: true });
  await client.connect();
  // The driver's reader of binary arrays goes wrong at an element that is null, so only rows without any.
  const columns = "id, flag, small, number, big, single, double, label, numbers, words, moment, instant";
  const result = await client.query(`select ${columns} from every_type.samples where id <> $1 order by id`, [1]);
  await client.end();
  return result.rows;
}

async function started() {
  const client = new pg.Client({ ...server(), statement_timeout: 12345, application_name: "node", options: "-c timezone=Europe/Oslo" });
  await client.connect();
  const came = [];
  for (const name of ["statement_timeout", "application_name", "timezone"]) came.push((await client.query(`show ${name}`)).rows);
  await client.end();
  return came;
}

async function main() {
  const client = new pg.Client(server());
  await client.connect();
  await ask(executor(client));
  await attempt("a cursor", () => byCursor(client));
  await attempt("a prepared statement", () => prepared(client));
  await attempt("several statements", () => several(client));
  await attempt("a pool", pooled);
  await attempt("in binary", binary);
  await attempt("settings at the start", started);
  await client.end();
}

main();
