SELECT count(*) AS again, max(id) AS last FROM t
SELECT setting AS kind FROM pg_settings WHERE name = 'shared_memory_type'
