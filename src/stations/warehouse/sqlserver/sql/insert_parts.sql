INSERT INTO {part} ([millrace_unit_id], [millrace_summary_id], {columns})
SELECT @P1, [millrace_summary_id], {columns} FROM {incoming};
