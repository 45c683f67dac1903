-- A retracted unit counts nothing in any generation, and a stream is not replayed.
SELECT EXISTS (
  SELECT 1 FROM main."millrace_unit"
  WHERE "feed" = ?1 AND "generation" < ?2 AND "kind" = 'file' AND "retracted_at" IS NULL
)
