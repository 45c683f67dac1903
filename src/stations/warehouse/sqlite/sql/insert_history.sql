INSERT INTO main."millrace_load_history" ("unit_id", "feed", "blob", "etag", "generation", "load_id", "outcome",
                                          "rows_read", "rows_rejected", "curated", "committed_at", "displaced_etag",
                                          "displaced_generation", "displaced_load_id")
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
