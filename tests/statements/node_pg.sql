-- node-pg simple query [simple]
select 1 as a
;;

-- node-pg params [extended]
select * from shop.buyers where id = $1 and name <> $2 and created_at < $3
;;

-- node-pg named prepared [extended]
select id,name from shop.buyers where id=$1
;;

-- node-pg binary [extended]
select id,name,score from shop.buyers where id=$1
;;

-- node-pg rowMode array / rows [extended]
select id from shop.purchases where id>$1
;;

-- node-pg cursor [extended]
select id from shop.purchases where id > $1
;;

-- node-pg query-stream [extended]
select id from shop.purchases
;;

-- node-pg multi statement [simple]
select 1; select 2
;;

-- node-pg transaction [simple]
BEGIN
;;

-- node-pg transaction [simple]
COMMIT
;;
