// For the clients in JavaScript what answers.py is for those in Python: it reads the questions and writes the answers.
"use strict";

const fs = require("node:fs");
const util = require("node:util");

/** The error of the server, as its SQLSTATE, or of the driver, as its name. */
function codeOf(error) {
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : `of the driver: ${error.code ?? error.name} ${error.message}`;
}

/** Where the server is, from libpq's variables, which compare.py sets. */
function server() {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE, PGSSLROOTCERT } = process.env;
  const ssl = PGSSLMODE === "disable" ? false : { ca: fs.readFileSync(PGSSLROOTCERT), rejectUnauthorized: true };
  return { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: PGDATABASE, ssl };
}

/** Answers with what `run` returns, or with its error. Returns it too, or undefined. */
async function attempt(statement, run) {
  let value;
  let outcome;
  try {
    value = await run();
    outcome = util.inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: Infinity });
  } catch (error) {
    outcome = `error ${codeOf(error)}`;
  }
  fs.writeSync(1, JSON.stringify(["", statement, outcome]) + "\n");
  return value;
}

/** Answers every question; `execute(sql, values)` returns `{ columns, rows }`, each row an array. */
async function ask(execute) {
  for (const line of fs.readFileSync(0, "utf8").trimEnd().split("\n")) {
    const [kind, subject, text] = line.split("\t");
    if (kind === "statement") {
      await attempt(text, () => execute(text, []));
      continue;
    }
    const value = kind === "value";
    const read = value ? `select ${text} as v` : `select ${text} as v from ${subject} order by id`;
    const write = value ? `select $1::${subject} as v` : `select id from ${subject} where ${text} = $1 order by id`;
    const came = await attempt(read, () => execute(read, []));
    // What was read goes back as a parameter, as the driver writes a value of its type.
    await attempt(write + (value ? ` -- ${text}` : ""), () => {
      if (came === undefined) throw new Error("there is no value to send");
      return execute(write, [came.rows[0][0]]);
    });
  }
}

module.exports = { ask, attempt, codeOf, server };
