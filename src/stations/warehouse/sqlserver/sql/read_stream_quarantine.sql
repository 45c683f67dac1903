SELECT TOP (@P3) [stream].[feed], [stream].[namespace], [stream].[hub], [stream].[incarnation], [stream].[partition],
       [file].[name], [file].[first], [file].[last], [file].[events]
FROM [millrace].[stream_quarantine] AS [file]
INNER JOIN [millrace].[stream] AS [stream] ON [stream].[unit_id] = [file].[unit_id]
WHERE [file].[feed] = @P1 AND [file].[name_order] > @P2
ORDER BY [file].[name_order];
