-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SET search_path = pg_catalog
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SET timezone = 'GMT'
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SET datestyle = ISO
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SET intervalstyle = postgres
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SET extra_float_digits = 3
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
START TRANSACTION ISOLATION LEVEL REPEATABLE READ
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'shop'
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
SELECT relname,   attname,   format_type(atttypid, atttypmod),   attnotnull,   pg_get_expr(adbin, adrelid),   attgenerated,   collname,   collnsp.nspname FROM pg_class c   JOIN pg_namespace n ON     relnamespace = n.oid   LEFT JOIN pg_attribute a ON     attrelid = c.oid AND attnum > 0       AND NOT attisdropped   LEFT JOIN pg_attrdef ad ON     adrelid = c.oid AND adnum = attnum   LEFT JOIN pg_collation coll ON     coll.oid = attcollation   LEFT JOIN pg_namespace collnsp ON     collnsp.oid = collnamespace WHERE c.relkind IN ('r','v','f','m','p')   AND n.nspname = 'shop' AND NOT c.relispartition  ORDER BY c.relname, a.attnum
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA [simple]
COMMIT TRANSACTION
;;

-- postgres_fdw IMPORT FOREIGN SCHEMA LIMIT TO [simple]
SELECT relname,   attname,   format_type(atttypid, atttypmod),   attnotnull,   pg_get_expr(adbin, adrelid),   attgenerated,   collname,   collnsp.nspname FROM pg_class c   JOIN pg_namespace n ON     relnamespace = n.oid   LEFT JOIN pg_attribute a ON     attrelid = c.oid AND attnum > 0       AND NOT attisdropped   LEFT JOIN pg_attrdef ad ON     adrelid = c.oid AND adnum = attnum   LEFT JOIN pg_collation coll ON     coll.oid = attcollation   LEFT JOIN pg_namespace collnsp ON     collnsp.oid = collnamespace WHERE c.relkind IN ('r','v','f','m','p')   AND n.nspname = 'shop' AND c.relname IN ('purchases') ORDER BY c.relname, a.attnum
;;

-- postgres_fdw simple select [extended]
DECLARE c1 CURSOR FOR
SELECT id, amount FROM shop.purchases WHERE ((id < 100))
;;

-- postgres_fdw simple select [simple]
FETCH 100 FROM c1
;;

-- postgres_fdw simple select [simple]
CLOSE c1
;;

-- postgres_fdw select star where text like [extended]
DECLARE c1 CURSOR FOR
SELECT id, name, email, created_at, balance, active, birth, score, region, meta, tags, upd FROM shop.buyers WHERE ((name ~~ 'c1%')) AND ((created_at >= '2024-01-05 00:00:00'))
;;

-- postgres_fdw count [extended]
DECLARE c1 CURSOR FOR
SELECT count(*) FROM shop.purchases
;;

-- postgres_fdw group by having [extended]
DECLARE c1 CURSOR FOR
SELECT buyer_id, sum(amount), avg(amount), count(*), max(bought_on) FROM shop.purchases GROUP BY 1 HAVING ((sum(amount) > 10::numeric))
;;

-- postgres_fdw join order by limit [extended]
DECLARE c1 CURSOR FOR
SELECT r1.name, r2.amount FROM (shop.buyers r1 INNER JOIN shop.purchases r2 ON (((r1.id = r2.buyer_id)) AND ((r2.amount > 100::numeric)))) ORDER BY r2.amount DESC NULLS FIRST LIMIT 5::bigint
;;

-- postgres_fdw left join [extended]
DECLARE c2 CURSOR FOR
SELECT id, name FROM shop.buyers WHERE ((id < 10))
;;

-- postgres_fdw left join [simple]
FETCH 100 FROM c2
;;

-- postgres_fdw left join [extended]
DECLARE c1 CURSOR FOR
SELECT buyer_id, amount FROM shop.purchases
;;

-- postgres_fdw left join [simple]
CLOSE c2
;;

-- postgres_fdw in list, case, null, bool [extended]
DECLARE c1 CURSOR FOR
SELECT id, qty FROM shop.purchases WHERE ((note IS NOT NULL)) AND ((qty = ANY ('{1,2,3}'::integer[])))
;;

-- postgres_fdw param (generic plan) [extended]
DECLARE c1 CURSOR FOR
SELECT id FROM shop.purchases WHERE ((id = 1))
;;

-- postgres_fdw param (generic plan) [extended]
DECLARE c2 CURSOR FOR
SELECT id FROM shop.purchases WHERE ((id = 2))
;;

-- postgres_fdw date function now shippable [extended]
DECLARE c1 CURSOR FOR
SELECT id, created_at FROM shop.buyers
;;

-- postgres_fdw use_remote_estimate [simple]
EXPLAIN SELECT id FROM shop.purchases WHERE ((id < 10))
;;

-- postgres_fdw use_remote_estimate [extended]
DECLARE c1 CURSOR FOR
SELECT id FROM shop.purchases WHERE ((id < 10))
;;

-- postgres_fdw fetch_size 10000 [extended]
DECLARE c1 CURSOR FOR
SELECT id FROM shop.purchases
;;

-- postgres_fdw fetch_size 10000 [simple]
FETCH 10000 FROM c1
;;

-- postgres_fdw async_capable/ANALYZE [simple]
SELECT pg_catalog.pg_relation_size('shop.purchases'::pg_catalog.regclass) / 8192
;;

-- postgres_fdw async_capable/ANALYZE [simple]
DECLARE c1 CURSOR FOR SELECT id, buyer_id, bought_on, amount, qty, note, uid, raw, t FROM shop.purchases
;;

-- postgres_fdw insert [extended]
INSERT INTO shop.purchases(id, buyer_id, bought_on, amount, qty, note, uid, raw, t) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
;;

-- postgres_fdw insert [simple]
DEALLOCATE pgsql_fdw_prep_1
;;

-- postgres_fdw batch insert [extended]
INSERT INTO shop.purchases(id, buyer_id, bought_on, amount, qty, note, uid, raw, t) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9), ($10, $11, $12, $13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24, $25, $26, $27)
;;

-- postgres_fdw batch insert [simple]
DEALLOCATE pgsql_fdw_prep_2
;;

-- postgres_fdw direct update [extended]
UPDATE shop.purchases SET note = 'x'::text WHERE ((id = 900001))
;;

-- postgres_fdw direct delete [extended]
DELETE FROM shop.purchases WHERE ((id >= 900001))
;;

-- postgres_fdw update returning non-direct [extended]
DECLARE c1 CURSOR FOR
SELECT id, buyer_id, bought_on, amount, qty, note, uid, raw, t, ctid FROM shop.purchases WHERE ((id = 1)) FOR UPDATE
;;

-- postgres_fdw update returning non-direct [extended]
UPDATE shop.purchases SET note = $2 WHERE ctid = $1
;;

-- postgres_fdw transaction repeatable read + savepoint [simple]
SAVEPOINT s2
;;

-- postgres_fdw transaction repeatable read + savepoint [extended]
DECLARE c2 CURSOR FOR
SELECT count(*) FROM shop.buyers
;;

-- postgres_fdw transaction repeatable read + savepoint [simple]
FETCH 10000 FROM c2
;;

-- postgres_fdw transaction repeatable read + savepoint [simple]
ROLLBACK TO SAVEPOINT s2; RELEASE SAVEPOINT s2
;;

-- postgres_fdw cursor rescan (nestloop) [extended]
DECLARE c1 CURSOR FOR
SELECT id FROM shop.purchases WHERE ((id = $1::integer))
;;

-- postgres_fdw collation/order by text [extended]
DECLARE c1 CURSOR FOR
SELECT name FROM shop.buyers ORDER BY name ASC NULLS LAST LIMIT 3::bigint
;;
