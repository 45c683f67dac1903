CREATE UNIQUE CLUSTERED INDEX [by_keys] ON {part} ({keys}, [millrace_unit_id], [millrace_summary_id]);
