-- Across the formats.
select u.city, count(distinct o.order_id) as n, sum(o.amount) as total
from silver.orders as o join bronze.users as u on u.user_id = o.user_id
group by u.city order by u.city nulls last;
select r.label, count(o.order_id) as n from regions as r left join silver.orders as o on o.region = r.region
group by r.label order by r.label;
select o.order_id, sum(i."Quantity" * i."unitPrice") as worth
from silver.orders as o join silver.items as i on i."OrderId" = o.order_id
where o.status = 'cancelled' group by o.order_id order by o.order_id;
select e.kind, u.active, count(*) as n from bronze.events as e join bronze.users as u using (user_id)
group by e.kind, u.active order by e.kind, u.active;
with best as (select user_id, max(amount) as amount from silver.orders group by user_id)
select b.user_id, b.amount, u.name from best as b join bronze.users as u using (user_id)
where not exists (select 1 from bronze.events as e where e.user_id = b.user_id and e.kind = 'buy')
order by b.user_id;
select region from silver.orders intersect select region from regions order by region;
select region from regions except select region from silver.orders order by region;
