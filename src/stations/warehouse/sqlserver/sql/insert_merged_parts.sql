INSERT INTO {part} ([millrace_unit_id], [millrace_summary_id], {columns})
SELECT @P1, [merged].[millrace_summary_id], {merged_columns}
FROM {merged} AS [merged]
WHERE NOT EXISTS (
  SELECT 1 FROM {part} AS [stored]
  WHERE {merged_matches}
    AND [stored].[millrace_unit_id] = @P1
    AND [stored].[millrace_summary_id] = [merged].[millrace_summary_id]
);
