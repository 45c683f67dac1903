-- All parts that streams counted.
SELECT {stored_columns}
FROM main.{part} AS "stored"
INNER JOIN main."millrace_unit" AS "unit" ON "unit"."unit_id" = "stored"."millrace_unit_id"
WHERE "unit"."kind" = 'stream'
