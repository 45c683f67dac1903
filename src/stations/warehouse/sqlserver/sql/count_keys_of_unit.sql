-- Keys that a unit counts into, and those of them that no other unit counts into.
SELECT COUNT_BIG(*), COUNT_BIG(CASE WHEN [counted].[others] = 0 THEN 1 END)
FROM (
  SELECT CASE WHEN EXISTS (
    SELECT 1 FROM {part} AS [stored] WHERE {stored_matches} AND [stored].[millrace_unit_id] <> @P1
  ) THEN 1 ELSE 0 END AS [others]
  FROM (SELECT DISTINCT {keys} FROM {part} WHERE [millrace_unit_id] = @P1) AS [touched]
) AS [counted];
