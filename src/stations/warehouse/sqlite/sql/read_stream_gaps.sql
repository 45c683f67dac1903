SELECT "stream"."feed", "stream"."namespace", "stream"."hub", "stream"."incarnation", "stream"."partition",
       "gap"."first", "gap"."last", "gap"."reason", "gap"."recorded_at"
FROM main."millrace_stream_gap" AS "gap"
INNER JOIN main."millrace_stream" AS "stream" ON "stream"."unit_id" = "gap"."unit_id"
WHERE "stream"."feed" = ?1
ORDER BY "gap"."entry" DESC
LIMIT ?2
