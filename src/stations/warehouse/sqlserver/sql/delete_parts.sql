DELETE FROM {part} WHERE [millrace_unit_id] = @P1;
