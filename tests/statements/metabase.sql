-- connection test [extended]
SELECT 1
;;

-- time zone of reports [extended]
show timezone
;;

-- session: read only and fetched by parts [simple]
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
;;

-- sync: schemas [extended]
SELECT nspname AS "TABLE_SCHEM", NULL AS "TABLE_CATALOG" FROM pg_catalog.pg_namespace WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]) AND (nspname !~ '^pg_toast_temp_' OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_')) ORDER BY "TABLE_SCHEM"
;;

-- sync: tables with their comments and sizes [extended]
SELECT s.nspname AS "schema", r.relname AS "name", CASE r.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS "type", t.description AS "description"
FROM pg_catalog.pg_class AS r
INNER JOIN pg_catalog.pg_namespace AS s ON r.relnamespace = s.oid
LEFT JOIN pg_catalog.pg_description AS t ON (r.oid = t.objoid) AND (t.objsubid = 0) AND (t.classoid = 'pg_class'::regclass)
LEFT JOIN pg_stat_user_tables AS u ON (s.nspname = u.schemaname) AND (r.relname = u.relname)
WHERE (s.nspname !~ '^pg_') AND (s.nspname NOT IN ('information_schema', 'lakegate')) AND (r.relkind IN ('r', 'p', 'v', 'f', 'm')) AND (s.nspname IN ('shop', 'public'))
ORDER BY "type" ASC, "schema" ASC, "name" ASC
;;

-- sync: who may read and write what [extended]
WITH relations AS (
  SELECT schemaname AS schema, tablename AS relation FROM pg_catalog.pg_tables
  UNION SELECT schemaname, viewname FROM pg_catalog.pg_views
  UNION SELECT schemaname, matviewname FROM pg_catalog.pg_matviews
  UNION SELECT foreign_table_schema, foreign_table_name FROM information_schema.foreign_tables
)
SELECT NULL AS role, x.schema, x.relation,
  pg_catalog.has_any_column_privilege(current_user, quote_ident(x.schema) || '.' || quote_ident(x.relation), 'select') AS may_select,
  pg_catalog.has_table_privilege(current_user, quote_ident(x.schema) || '.' || quote_ident(x.relation), 'SELECT') AS may_select_all
FROM relations AS x
WHERE x.schema !~ '^pg_' AND x.schema NOT IN ('information_schema', 'lakegate')
ORDER BY 2, 3
;;

-- sync: columns with keys and comments [extended]
SELECT a.column_name AS "name", CASE WHEN a.udt_schema IN ('public', 'pg_catalog') THEN FORMAT('%s', a.udt_name) ELSE FORMAT('"%s"."%s"', a.udt_schema, a.udt_name) END AS "database-type", a.ordinal_position - 1 AS "position", a.table_schema AS "schema", a.table_name AS "table", k.column_name IS NOT NULL AS "is-key",
  col_description(CAST(CAST(FORMAT('%I.%I', CAST(a.table_schema AS text), CAST(a.table_name AS text)) AS regclass) AS oid), a.ordinal_position) AS "comment",
  ((a.column_default IS NULL) OR (LOWER(a.column_default) = 'null')) AND (a.is_nullable = 'NO') AND NOT ((a.column_default IS NOT NULL AND a.column_default LIKE '%nextval(%') OR (a.is_identity <> 'NO')) AS "is-required"
FROM information_schema.columns AS a
LEFT JOIN (
  SELECT c.table_schema, c.table_name, u.column_name FROM information_schema.table_constraints AS c
  INNER JOIN information_schema.key_column_usage AS u ON c.constraint_name = u.constraint_name AND c.table_schema = u.table_schema AND c.table_name = u.table_name
  WHERE c.constraint_type = 'PRIMARY KEY'
) AS k ON a.table_schema = k.table_schema AND a.table_name = k.table_name AND a.column_name = k.column_name
WHERE a.table_schema !~ '^information_schema|pg_|lakegate' AND a.table_schema IN ('shop', 'public')
UNION ALL
SELECT m.attname, FORMAT('%s', y.typname), m.attnum - 1, n.nspname, r.relname, FALSE, NULL, FALSE
FROM pg_catalog.pg_class AS r INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace INNER JOIN pg_catalog.pg_attribute AS m ON m.attrelid = r.oid INNER JOIN pg_catalog.pg_type AS y ON y.oid = m.atttypid
WHERE r.relkind = 'm' AND m.attnum >= 1 AND n.nspname IN ('shop', 'public')
ORDER BY 4, 5, 3
;;

-- sync: columns, as one column list for all [extended]
SELECT a.column_name AS "name", a.udt_name AS "database-type", a.table_schema, a.table_name FROM information_schema.columns AS a WHERE a.table_schema IN ('shop', 'public') ORDER BY a.table_schema ASC, a.table_name ASC, a.ordinal_position ASC
;;

-- sync: foreign keys [extended]
SELECT fs.nspname AS "fk-schema", ft.relname AS "fk-table", fc.attname AS "fk-column", ps.nspname AS "pk-schema", pt.relname AS "pk-table", pc.attname AS "pk-column"
FROM pg_constraint AS k
INNER JOIN pg_class AS ft ON k.conrelid = ft.oid
INNER JOIN pg_namespace AS fs ON k.connamespace = fs.oid
INNER JOIN pg_attribute AS fc ON k.conrelid = fc.attrelid
INNER JOIN pg_class AS pt ON k.confrelid = pt.oid
INNER JOIN pg_namespace AS ps ON pt.relnamespace = ps.oid
INNER JOIN pg_attribute AS pc ON k.confrelid = pc.attrelid
WHERE (fs.nspname !~ '^information_schema|pg_') AND (k.contype = 'f'::char) AND (fc.attnum = ANY(k.conkey)) AND (pc.attnum = ANY(k.confkey)) AND (fs.nspname IN ('shop', 'public'))
ORDER BY "fk-schema" ASC, "fk-table" ASC
;;

-- sync: indexes [extended]
SELECT n.nspname AS "table-schema", t.relname AS "table-name", a.attname AS "column-name"
FROM pg_catalog.pg_class AS t
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
INNER JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
WHERE i.indexprs IS NULL AND i.indpred IS NULL AND i.indisvalid AND n.nspname IN ('shop', 'public')
ORDER BY 1, 2, 3
;;

-- sync: types of the user [extended]
SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e)
;;

-- fingerprint: the first rows [extended]
SELECT "shop"."buyers"."id" AS "id", SUBSTRING("shop"."buyers"."name", 1, 1234) AS "name", "shop"."buyers"."created_at" AS "created_at", "shop"."buyers"."balance" AS "balance" FROM "shop"."buyers" ORDER BY "shop"."buyers"."id" LIMIT 10
;;

-- fingerprint: distinct values [extended]
SELECT "source"."region" AS "region" FROM (SELECT "shop"."buyers"."region" AS "region" FROM "shop"."buyers") AS "source" GROUP BY "source"."region" ORDER BY "source"."region" ASC LIMIT 1000
;;

-- question: by month and status [extended]
SELECT CAST(DATE_TRUNC('month', "shop"."purchases"."created_at") AS timestamp) AS "created_at", "shop"."purchases"."status" AS "status", SUM("shop"."purchases"."amount") AS "sum", COUNT(*) AS "count" FROM "shop"."purchases" WHERE ("shop"."purchases"."created_at" >= timestamp with time zone '2024-01-01 00:00:00.000Z') AND ("shop"."purchases"."created_at" < timestamp with time zone '2024-01-20 00:00:00.000Z') GROUP BY CAST(DATE_TRUNC('month', "shop"."purchases"."created_at") AS timestamp), "shop"."purchases"."status" ORDER BY CAST(DATE_TRUNC('month', "shop"."purchases"."created_at") AS timestamp) ASC, "shop"."purchases"."status" ASC
;;

-- question: by week that begins on Sunday [extended]
SELECT (CAST(DATE_TRUNC('week', (CAST("shop"."purchases"."bought_on" AS timestamp) + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') AS "bought_on", COUNT(DISTINCT "shop"."purchases"."buyer_id") AS "count" FROM "shop"."purchases" GROUP BY (CAST(DATE_TRUNC('week', (CAST("shop"."purchases"."bought_on" AS timestamp) + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') ORDER BY 1 LIMIT 5
;;

-- question: of the last days [extended]
SELECT COUNT(*) AS "count" FROM "shop"."purchases" WHERE "shop"."purchases"."bought_on" >= CAST((NOW() + INTERVAL '-30 day') AS date) AND "shop"."purchases"."bought_on" < CAST(NOW() AS date)
;;

-- question: bins [extended]
SELECT ((FLOOR((("shop"."purchases"."amount" - 0.0) / 100.0)) * 100.0) + 0.0) AS "amount", COUNT(*) AS "count" FROM "shop"."purchases" GROUP BY ((FLOOR((("shop"."purchases"."amount" - 0.0) / 100.0)) * 100.0) + 0.0) ORDER BY ((FLOOR((("shop"."purchases"."amount" - 0.0) / 100.0)) * 100.0) + 0.0) ASC
;;

-- question: hour of day, with a time zone [extended]
SELECT CAST(extract(hour from ("shop"."buyers"."upd" AT TIME ZONE 'Europe/Berlin')) AS integer) AS "upd", AVG("shop"."buyers"."balance") AS "avg", STDDEV_POP("shop"."buyers"."score") > 0 AS "spread" FROM "shop"."buyers" GROUP BY CAST(extract(hour from ("shop"."buyers"."upd" AT TIME ZONE 'Europe/Berlin')) AS integer)
;;

-- question: a join, filtered by text without case [extended]
SELECT "B"."name" AS "B__name", COUNT(*) AS "count" FROM "shop"."purchases" LEFT JOIN "shop"."buyers" AS "B" ON "shop"."purchases"."buyer_id" = "B"."id" WHERE (LOWER("B"."name") LIKE '%c1%') AND (("shop"."purchases"."status" <> 'new') OR ("shop"."purchases"."status" IS NULL)) GROUP BY "B"."name" ORDER BY "count" DESC, "B"."name" ASC LIMIT 10
;;

-- question: a running total [extended]
SELECT "source"."month" AS "month", SUM(SUM("source"."amount")) OVER (ORDER BY "source"."month" ASC ROWS UNBOUNDED PRECEDING) AS "sum" FROM (SELECT CAST(DATE_TRUNC('month', "shop"."purchases"."bought_on") AS date) AS "month", "shop"."purchases"."amount" AS "amount" FROM "shop"."purchases") AS "source" GROUP BY "source"."month" ORDER BY "source"."month" ASC
;;

-- question: a median and a percentile [extended]
SELECT PERCENTILE_CONT(0.5) within group (order by "shop"."purchases"."qty") AS "median", PERCENTILE_CONT(0.9) within group (order by "shop"."purchases"."qty") AS "percentile" FROM "shop"."purchases"
;;
