DELETE FROM main.{part} WHERE "millrace_unit_id" = ?1
