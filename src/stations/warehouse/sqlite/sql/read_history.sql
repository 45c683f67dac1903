SELECT "outcome", "etag", "generation", "load_id", "rows_read", "rows_rejected", "curated", "committed_at",
       "displaced_etag", "displaced_generation", "displaced_load_id"
FROM main."millrace_load_history"
WHERE "unit_id" = ?1
ORDER BY "entry" DESC
LIMIT ?2
