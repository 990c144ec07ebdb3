-- What customers of each country paid, in the orders' own currencies.
create view gold.revenue_by_country as
select c.name as country, o.currency, count(*) as n_orders, sum(o.amount) as revenue
from gold.orders o
join silver.users u on u.id = o.user_id
join gold.countries c on c.code = u.country
where o.status <> 'cancelled'
group by c.name, o.currency;
