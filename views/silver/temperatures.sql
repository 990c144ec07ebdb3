-- Readings of the thermostats, out of the bytes that Event Hubs captured.
create view silver.temperatures as
select body ->> 'device' as device,
       cast(body ->> 'ts' as timestamptz) as measured_at,
       cast(body ->> 'temperature' as numeric(6, 2)) as temperature,
       cast(body ->> 'occupancy' as integer) as occupancy
from (select cast(convert_from("Body", 'UTF8') as jsonb) as body
      from bronze.thermostat) as captured;
