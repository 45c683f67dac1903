SELECT "feed", "blob", "etag", "generation", "load_id", "size_bytes", "sha256", "rows_read", "rows_rejected",
       "quarantine", "curated", "committed_at", "retracted_at"
FROM main."millrace_unit"
WHERE "feed" = ?1 AND "blob" > ?2 AND "kind" = 'file'
ORDER BY "blob"
LIMIT ?3
