-- Delta, as Python's deltalake reads it.
select order_id, user_id, status, amount, ordered_at, region, discount from silver.orders order by order_id;
select region, status, count(*) as n, sum(amount) as total from silver.orders group by region, status order by region, status;
select count(*) as n, count(discount) as discounted, max(discount) as most from silver.orders;
select * from silver.orders where region = 'north' and amount > 4000 order by order_id;
select "OrderId", "Line", "Product", "Quantity", "unitPrice" from silver.items order by "OrderId", "Line";
select id, f8, f4::float8 as f4, i8, i2, flag, note, raw, big, day from silver.edges order by id;
select step, count(*) as n, sum(n) as s from silver.counters group by step order by step;
