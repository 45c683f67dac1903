-- Keys that a unit counts into, and those of them that no other unit counts into.
SELECT COUNT(*),
       COUNT(*) FILTER (WHERE NOT EXISTS (
         SELECT 1 FROM main.{part} AS "stored" WHERE {stored_matches} AND "stored"."millrace_unit_id" <> ?1
       ))
FROM (SELECT DISTINCT {keys} FROM main.{part} WHERE "millrace_unit_id" = ?1) AS "touched"
