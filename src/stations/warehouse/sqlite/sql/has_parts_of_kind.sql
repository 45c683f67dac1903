SELECT EXISTS (
  SELECT 1 FROM main."millrace_unit" AS "unit"
  WHERE "unit"."kind" = ?1
    AND EXISTS (SELECT 1 FROM main.{part} AS "stored" WHERE "stored"."millrace_unit_id" = "unit"."unit_id")
)
