-- Orders with their items: one row an order.
create view gold.orders as
select o.id, o.user_id, o.ordered_at, o.order_month, o.status, o.currency, o.channel,
       i.n_items, i.quantity, i.amount
from silver.orders o
join (select order_id,
             count(*) as n_items,
             sum(quantity) as quantity,
             sum(round(quantity * unit_price * (100 - coalesce(discount, 0)) / 100, 2)) as amount
      from silver.items
      group by order_id) as i on i.order_id = o.id;
