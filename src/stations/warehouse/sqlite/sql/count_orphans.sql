-- Parts of no unit, and parts of retracted units: neither may count.
SELECT COUNT(*) FILTER (WHERE "unit"."unit_id" IS NULL), COUNT(*) FILTER (WHERE "unit"."unit_id" IS NOT NULL)
FROM main.{part} AS "stored"
LEFT JOIN main."millrace_unit" AS "unit" ON "unit"."unit_id" = "stored"."millrace_unit_id"
WHERE "unit"."unit_id" IS NULL OR "unit"."retracted_at" IS NOT NULL
