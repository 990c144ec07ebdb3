-- psycopg2 connect [simple]
BEGIN
;;

-- psycopg2 connect [simple]
select 1
;;

-- psycopg2 connect [simple]
select * from shop.buyers where id = 1 and name <> 'x'
;;

-- psycopg2 connect [simple]
COMMIT
;;

-- psycopg2 named cursor itersize [simple]
DECLARE "mycur" CURSOR WITHOUT HOLD FOR select id from shop.purchases
;;

-- psycopg2 named cursor itersize [simple]
FETCH FORWARD 2000 FROM "mycur"
;;

-- psycopg2 named cursor itersize [simple]
CLOSE "mycur"
;;

-- psycopg2 named cursor itersize [simple]
ROLLBACK
;;

-- psycopg2 set_session readonly [simple]
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
;;

-- psycopg2 register_hstore/composite [simple]
BEGIN READ WRITE
;;

-- psycopg2 register_hstore/composite [simple]
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore'
;;

-- psycopg2 register_hstore/composite [simple]
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'purchases' AND nspname = 'shop'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
;;

-- psycopg2 copy_expert [simple]
COPY (select id from shop.purchases limit 3) TO STDOUT WITH CSV HEADER
;;

-- psycopg2 mogrify params types [simple]
select 1, 1.5, 1.5, '2024-01-01T00:00:00'::timestamp, '2024-01-01'::date, NULL, true, ARRAY[1,2]
;;

-- psycopg2 lastrowid/close reset [simple]
ABORT
;;

-- psycopg2 lastrowid/close reset [simple]
DISCARD ALL
;;
