-- Products on sale, with what their documents say of them.
create view gold.products as
select p.id, p.name, p.category, p.price, p.supplier,
       d.supplier ->> 'country' as supplier_country,
       cast(d.dimensions ->> 'weight_kg' as double precision) as weight_kg,
       cardinality(d.tags) as n_tags
from silver.products p
join bronze.products d on d.id = p.id
where p.discontinued is not true;
