DELETE FROM main."millrace_unit" WHERE "unit_id" = ?1
