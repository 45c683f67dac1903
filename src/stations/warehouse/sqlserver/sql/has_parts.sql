SELECT {number} WHERE EXISTS (SELECT 1 FROM {part} WHERE [millrace_unit_id] = @P1)
