-- connect: the server's settings [simple]
show server_version_num
;;

-- connect: the current schema [extended]
select current_schema()
;;

-- connect: isolation and encoding [simple]
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED
;;

-- capability: subqueries [simple]
SELECT "t"."one" FROM (SELECT 1 AS "one") "t"
;;

-- capability: TOP by LIMIT [simple]
SELECT 1 AS "x" FROM (SELECT 1 AS "COL") AS "CHEAP" LIMIT 1
;;

-- capability: a temporary table [simple]
CREATE LOCAL TEMPORARY TABLE "#Tableau_1_Connect" ("COL" INTEGER) ON COMMIT PRESERVE ROWS
;;

-- capability: a temporary table by SELECT INTO [simple]
SELECT * INTO TEMPORARY TABLE "#Tableau_2_Connect" FROM (SELECT 1 AS "COL") AS "CHECKTEMP" LIMIT 1
;;

-- navigator: schemas [extended]
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'lakegate') ORDER BY nspname
;;

-- navigator: tables and views [extended]
SELECT c.relname, n.nspname, c.relkind FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1', 'lakegate') AND n.oid = c.relnamespace ORDER BY n.nspname, c.relname
;;

-- navigator: keys of a table, by the columns of its index [extended]
SELECT col.attname, icol.attnum, i.relname, n.nspname, t.relname FROM pg_catalog.pg_attribute col, pg_catalog.pg_attribute icol, pg_catalog.pg_class t, pg_catalog.pg_index x, pg_catalog.pg_namespace n, pg_catalog.pg_class i WHERE t.relname = 'purchases' AND n.nspname = 'shop' AND t.oid = x.indrelid AND n.oid = t.relnamespace AND x.indisprimary = 't' AND icol.attrelid = x.indexrelid AND col.attrelid = x.indrelid AND col.attnum = x.indkey[icol.attnum - 1] AND i.oid = x.indexrelid ORDER BY icol.attnum
;;

-- navigator: foreign keys [extended]
SELECT k.conname, fn.nspname, f.relname, fa.attname, pn.nspname, p.relname, pa.attname, k.n FROM (SELECT conname, conrelid, confrelid, conkey, confkey, generate_series(1, array_upper(conkey, 1)) AS n FROM pg_catalog.pg_constraint WHERE contype = 'f') k JOIN pg_catalog.pg_class f ON f.oid = k.conrelid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = k.conkey[k.n] JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[k.n] ORDER BY 2, 3, 1, 8
;;

-- metadata of a relation: its columns without rows [extended]
SELECT * FROM "shop"."buyers" LIMIT 0
;;

-- metadata of a query: its columns without rows [extended]
SELECT * FROM (SELECT b.*, p.amount FROM shop.buyers b JOIN shop.purchases p ON p.buyer_id = b.id) "Custom SQL Query" LIMIT 0
;;

-- sheet: years, with the names that are given to columns [extended]
SELECT CAST(DATE_TRUNC('YEAR', "purchases"."created_at") AS DATE) AS "tyr:created_at:ok", SUM("purchases"."amount") AS "sum:amount:ok", COUNT(1) AS "cnt" FROM "shop"."purchases" "purchases" GROUP BY 1
;;

-- sheet: quarters by numbers [extended]
SELECT CAST(EXTRACT(QUARTER FROM "purchases"."bought_on") AS INTEGER) AS "qr:bought_on:ok", CAST(TRUNC(EXTRACT(YEAR FROM "purchases"."bought_on")) AS INTEGER) AS "yr:bought_on:ok", AVG(CAST("purchases"."qty" AS DOUBLE PRECISION)) AS "avg:qty:ok" FROM "shop"."purchases" "purchases" GROUP BY 1, 2 ORDER BY 2, 1
;;

-- sheet: weeks from Sunday on [extended]
SELECT (DATE_TRUNC('DAY', CAST("purchases"."bought_on" AS DATE)) + (-EXTRACT(DOW FROM "purchases"."bought_on") * INTERVAL '1 DAY')) AS "twk:bought_on:ok", COUNT(DISTINCT "purchases"."buyer_id") AS "ctd" FROM "shop"."purchases" "purchases" GROUP BY 1 ORDER BY 1 LIMIT 4
;;

-- sheet: the first by a measure [extended]
SELECT "buyers"."name" AS "name", SUM("purchases"."amount") AS "sum:amount:ok" FROM "shop"."purchases" "purchases" INNER JOIN "shop"."buyers" "buyers" ON ("purchases"."buyer_id" = "buyers"."id") INNER JOIN (SELECT "buyers"."name" AS "name", SUM("purchases"."amount") AS "X__alias__0" FROM "shop"."purchases" "purchases" INNER JOIN "shop"."buyers" "buyers" ON ("purchases"."buyer_id" = "buyers"."id") GROUP BY 1 ORDER BY 2 DESC, 1 ASC LIMIT 3) "t0" ON ("buyers"."name" = "t0"."name") GROUP BY 1 ORDER BY 2 DESC, 1
;;

-- sheet: values of a filter [extended]
SELECT "purchases"."status" AS "status" FROM "shop"."purchases" "purchases" GROUP BY 1 ORDER BY 1 ASC
;;

-- sheet: relationships, null beside null [extended]
SELECT "t0"."region" AS "region", "t0"."n" AS "n", "t1"."total" AS "total" FROM (SELECT "buyers"."region" AS "region", COUNT(1) AS "n" FROM "shop"."buyers" "buyers" GROUP BY 1) "t0" INNER JOIN (SELECT "b"."region" AS "region", SUM("p"."amount") AS "total" FROM "shop"."purchases" "p" LEFT JOIN "shop"."buyers" "b" ON ("p"."buyer_id" = "b"."id") GROUP BY 1) "t1" ON (("t0"."region" = "t1"."region") OR (("t0"."region" IS NULL) AND ("t1"."region" IS NULL)))
;;

-- sheet: a share of the whole, and of conditions [extended]
SELECT "purchases"."status" AS "status", (SUM("purchases"."amount") / MIN("t"."whole")) > 0 AS "share", SUM((CASE WHEN ("purchases"."qty" >= 5) THEN 1 WHEN NOT ("purchases"."qty" >= 5) THEN 0 ELSE NULL END)) AS "many" FROM "shop"."purchases" "purchases" CROSS JOIN (SELECT SUM("amount") AS "whole" FROM "shop"."purchases") "t" GROUP BY 1 ORDER BY 1
;;

-- sheet: the range of dates [extended]
SELECT MIN("purchases"."bought_on") AS "min", MAX("purchases"."bought_on") AS "max", COUNT("purchases"."bought_on") AS "n" FROM "shop"."purchases" "purchases" HAVING (COUNT(1) > 0)
;;

-- sheet: texts [extended]
SELECT LEFT("buyers"."name", 1) AS "initial", MAX(LENGTH("buyers"."name")) AS "longest", MIN(STRPOS("buyers"."email", '@')) AS "at", MAX(UPPER(SPLIT_PART("buyers"."email", '@', 2))) AS "domain" FROM "shop"."buyers" "buyers" GROUP BY 1
;;
