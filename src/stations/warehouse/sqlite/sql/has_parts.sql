SELECT EXISTS (SELECT 1 FROM main.{part} WHERE "millrace_unit_id" = ?1)
