DELETE FROM main."millrace_summary_column" WHERE "table_name" = ?1
