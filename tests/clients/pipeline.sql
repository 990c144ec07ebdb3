-- Three statements that wait for each other's answers only at the end.
\set number random(1, 4)
\startpipeline
SELECT label FROM every_type.samples WHERE id = :number;
SELECT count(*) FROM every_type.samples WHERE big < :number;
SELECT :number + 1;
\endpipeline
