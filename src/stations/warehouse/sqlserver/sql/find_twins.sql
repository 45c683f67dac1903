SELECT TOP (1) 1 FROM {incoming} GROUP BY {keys}, [millrace_summary_id] HAVING COUNT(*) > 1;
