SELECT "generation", "fingerprint" FROM main."millrace_pipeline_generation"
WHERE "feed" = ?1
ORDER BY "generation" DESC
LIMIT 1
