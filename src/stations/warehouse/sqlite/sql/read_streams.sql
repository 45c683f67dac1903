-- Partitions are numbers: the shorter ones first.
SELECT "stream"."feed", "stream"."namespace", "stream"."hub", "stream"."incarnation", "stream"."partition",
       "stream"."begins", "stream"."applied", "stream"."applied_enqueued_at", "unit"."generation", "unit"."rows_read",
       "unit"."rows_rejected", "unit"."committed_at"
FROM main."millrace_stream" AS "stream"
INNER JOIN main."millrace_unit" AS "unit" ON "unit"."unit_id" = "stream"."unit_id"
WHERE "stream"."feed" = ?1
ORDER BY "stream"."namespace", "stream"."hub", "stream"."incarnation", LENGTH("stream"."partition"), "stream"."partition"
