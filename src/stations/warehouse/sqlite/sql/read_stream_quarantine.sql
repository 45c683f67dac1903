SELECT "stream"."feed", "stream"."namespace", "stream"."hub", "stream"."incarnation", "stream"."partition",
       "file"."name", "file"."first", "file"."last", "file"."events"
FROM main."millrace_stream_quarantine" AS "file"
INNER JOIN main."millrace_stream" AS "stream" ON "stream"."unit_id" = "file"."unit_id"
WHERE "file"."feed" = ?1 AND "file"."name" > ?2
ORDER BY "file"."name"
LIMIT ?3
