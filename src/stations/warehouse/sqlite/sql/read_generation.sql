SELECT MAX("generation") FROM main."millrace_pipeline_generation" WHERE "feed" = ?1 AND "fingerprint" = ?2
