SELECT EXISTS (SELECT 1 FROM main."millrace_stream_quarantine" WHERE "feed" = ?1 AND "name" = ?2)
