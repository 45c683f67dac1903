SELECT DISTINCT "feed" FROM main."millrace_unit"
WHERE "unit_id" IN (SELECT "millrace_unit_id" FROM main.{part})
ORDER BY "feed"
