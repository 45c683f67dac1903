INSERT OR IGNORE INTO temp.{touched} ({keys})
SELECT {keys} FROM main.{part}
WHERE "millrace_unit_id" NOT IN (SELECT "unit_id" FROM main."millrace_unit" WHERE "retracted_at" IS NULL)
