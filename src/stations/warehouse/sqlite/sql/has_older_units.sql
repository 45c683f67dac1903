SELECT EXISTS (SELECT 1 FROM main."millrace_unit" WHERE "feed" = ?1 AND "generation" < ?2)
