CREATE TABLE t (id int PRIMARY KEY, name text, half numeric)
INSERT INTO t SELECT i, 'row ' || i, i / 2.0 FROM generate_series(1, 20000) i
CREATE INDEX t_name ON t (name)
UPDATE t SET name = 'changed' WHERE id % 100 = 7
DELETE FROM t WHERE id > 19000
VACUUM ANALYZE t
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n * 2; END $$
SELECT count(*) AS rows, sum(twice(id)) AS sum, avg(half) AS mean FROM t WHERE name <> 'changed'
CHECKPOINT
