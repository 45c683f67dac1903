-- Events that are gone have no time: then that of the last one that was there stays.
UPDATE main."millrace_stream" SET
  "applied" = ?2,
  "applied_enqueued_at" = COALESCE(?3, "applied_enqueued_at")
WHERE "unit_id" = ?1
