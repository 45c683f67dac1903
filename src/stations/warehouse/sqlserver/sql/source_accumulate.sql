-- The new parts, and the parts of the same unit, key and summary that they meet.
SELECT [millrace_summary_id], {columns} FROM {incoming}
UNION ALL
SELECT [stored].[millrace_summary_id], {stored_columns}
FROM {incoming} AS [touched]
INNER JOIN {part} AS [stored]
  ON {stored_matches}
  AND [stored].[millrace_unit_id] = @P1
  AND [stored].[millrace_summary_id] = [touched].[millrace_summary_id]
