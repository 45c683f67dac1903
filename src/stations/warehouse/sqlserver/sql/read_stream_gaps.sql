SELECT TOP (@P2) [stream].[feed], [stream].[namespace], [stream].[hub], [stream].[incarnation], [stream].[partition],
       [gap].[first], [gap].[last], [gap].[reason], [gap].[recorded_at]
FROM [millrace].[stream_gap] AS [gap]
INNER JOIN [millrace].[stream] AS [stream] ON [stream].[unit_id] = [gap].[unit_id]
WHERE [stream].[feed] = @P1
ORDER BY [gap].[entry] DESC;
