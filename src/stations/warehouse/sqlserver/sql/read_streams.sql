-- Partitions are numbers: the shorter ones first.
SELECT [stream].[feed], [stream].[namespace], [stream].[hub], [stream].[incarnation], [stream].[partition],
       [stream].[begins], [stream].[applied], [stream].[applied_enqueued_at], [unit].[generation], [unit].[rows_read],
       [unit].[rows_rejected], [unit].[committed_at]
FROM [millrace].[stream] AS [stream]
INNER JOIN [millrace].[unit] AS [unit] ON [unit].[unit_id] = [stream].[unit_id]
WHERE [stream].[feed] = @P1
ORDER BY [stream].[namespace], [stream].[hub], [stream].[incarnation], LEN([stream].[partition]), [stream].[partition];
