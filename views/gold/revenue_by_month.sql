-- Revenue of each month in euros, at the rate of the day of the order: what one euro cost.
create view gold.revenue_by_month as
select o.order_month,
       count(*) as n_orders,
       sum(round(o.amount / coalesce(r.rate, 1), 2)) as revenue_eur
from gold.orders o
left join gold.exchange_rates r
       on r.day = cast(o.ordered_at as date) and r.currency = o.currency
where o.status <> 'cancelled'
group by o.order_month;
