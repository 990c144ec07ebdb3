-- How many customers left, by the years they had stayed.
create view gold.churn_by_tenure as
select tenure_months / 12 as tenure_years,
       count(*) as n_customers,
       sum(case when churned then 1 else 0 end) as n_churned,
       round(100.0 * sum(case when churned then 1 else 0 end) / count(*), 1) as churn_percent
from silver.customer_churn
group by tenure_months / 12;
