INSERT INTO main."millrace_unit" ("unit_id", "kind", "feed", "blob", "etag", "generation", "load_id", "size_bytes",
                                  "rows_read", "rows_rejected", "committed_at")
VALUES (?1, 'stream', ?2, ?3, ?4, ?5, '', 0, ?6, ?7, ?8)
