-- What customers of each country paid a day for each product, in the orders' own currencies.
create materialized view gold.daily_revenue as
select cast(o.ordered_at as date) as day, c.name as country, p.name as product, o.currency,
       sum(i.quantity) as quantity,
       sum(round(i.quantity * i.unit_price * (100 - coalesce(i.discount, 0)) / 100, 2)) as revenue
from silver.orders o
join silver.items i on i.order_id = o.id
join silver.products p on p.id = i.product_id
join silver.users u on u.id = o.user_id
join gold.countries c on c.code = u.country
where o.status <> 'cancelled'
group by 1, 2, 3, 4;
