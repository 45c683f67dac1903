-- Parts of no unit, and parts of retracted units: neither may count.
SELECT COUNT_BIG(CASE WHEN [unit].[unit_id] IS NULL THEN 1 END),
       COUNT_BIG(CASE WHEN [unit].[retracted_at] IS NOT NULL THEN 1 END)
FROM {part} AS [stored]
LEFT JOIN [millrace].[unit] AS [unit] ON [unit].[unit_id] = [stored].[millrace_unit_id]
WHERE [unit].[unit_id] IS NULL OR [unit].[retracted_at] IS NOT NULL;
