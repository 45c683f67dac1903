INSERT INTO main."millrace_unit" ("unit_id", "kind", "feed", "blob", "etag", "generation", "load_id", "size_bytes",
                                  "sha256", "rows_read", "rows_rejected", "quarantine", "curated", "committed_at",
                                  "retracted_at")
VALUES (?1, 'file', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT ("unit_id") DO UPDATE SET
  "etag" = excluded."etag",
  "generation" = excluded."generation",
  "load_id" = excluded."load_id",
  "size_bytes" = excluded."size_bytes",
  "sha256" = excluded."sha256",
  "rows_read" = excluded."rows_read",
  "rows_rejected" = excluded."rows_rejected",
  "quarantine" = excluded."quarantine",
  "curated" = excluded."curated",
  "committed_at" = excluded."committed_at",
  "retracted_at" = excluded."retracted_at"
