UPDATE main."millrace_unit" SET
  "etag" = ?2,
  "generation" = ?3,
  "rows_read" = "rows_read" + ?4,
  "rows_rejected" = "rows_rejected" + ?5,
  "committed_at" = ?6
WHERE "unit_id" = ?1
