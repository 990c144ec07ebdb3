-- The average temperature of each device in each minute.
create materialized view gold.temperature_per_minute as
select device,
       date_trunc('minute', measured_at) as minute,
       count(*) as n_readings,
       round(avg(temperature), 2) as temperature,
       max(occupancy) as occupancy
from silver.temperatures
group by device, date_trunc('minute', measured_at);
