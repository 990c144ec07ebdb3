// postgres.js: it describes each statement and pipelines, asks for the array types at connect, and reads by cursors.
"use strict";

const postgres = require("postgres");
const { ask, attempt, server } = require("./answers.cjs");

function connect(options) {
  return postgres({ ...server(), max: 1, onnotice: () => {}, ...options });
}

function executor(sql) {
  return async (text, values) => {
    const rows = await sql.unsafe(text, values, { prepare: values.length > 0 }).values();
    return { columns: rows.columns.map((column) => [column.name, column.type]), rows: [...rows] };
  };
}

async function byCursor(sql) {
  const came = [];
  for await (const rows of sql`select n from generate_series(1, ${25}) as g(n) order by n`.cursor(10)) came.push(rows.map((row) => row.n));
  return came;
}

async function inTransaction(sql) {
  const came = [];
  await sql.begin("isolation level repeatable read read only", async (inside) => {
    came.push(await inside`select 1 as a`.values());
    await inside.savepoint((within) => within`select 1/0`).catch((error) => came.push(error.code));
    came.push(await inside`select 2 as a`.values());
  });
  return came.map(String);
}

async function pipelined(sql) {
  const results = await Promise.all(Array.from({ length: 50 }, (_, n) => sql`select ${n}::int4 * 2 as n`));
  return results.map((rows) => rows[0].n);
}

async function byTemplate(sql) {
  const rows = await sql`select id, label from every_type.samples where id in ${sql([1, 3])} and ${sql("id")} > ${0} order by id`.values();
  return [...rows];
}

async function described(sql) {
  const statement = await sql`select id, price from every_type.samples where big > ${1} and label like ${"s%"} limit ${2}`.describe();
  return [statement.types, statement.columns.map((column) => [column.name, column.type])];
}

async function main() {
  const sql = connect({});
  await ask(executor(sql));
  await attempt("a cursor", () => byCursor(sql));
  await attempt("a transaction", () => inTransaction(sql));
  await attempt("a pipeline", () => pipelined(sql));
  await attempt("a template", () => byTemplate(sql));
  await attempt("a description", () => described(sql));
  await sql.end();
}

main();
