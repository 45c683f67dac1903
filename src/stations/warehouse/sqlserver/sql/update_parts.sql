UPDATE [stored] SET
  {assignments}
FROM {part} AS [stored]
INNER JOIN {merged} AS [merged]
  ON {merged_matches}
  AND [stored].[millrace_summary_id] = [merged].[millrace_summary_id]
WHERE [stored].[millrace_unit_id] = @P1;
