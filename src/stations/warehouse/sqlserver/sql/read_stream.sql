SELECT [stream].[feed], [stream].[namespace], [stream].[hub], [stream].[incarnation], [stream].[partition],
       [stream].[begins], [stream].[applied], [stream].[applied_enqueued_at], [unit].[generation], [unit].[rows_read],
       [unit].[rows_rejected], [unit].[committed_at]
FROM [millrace].[stream] AS [stream]
INNER JOIN [millrace].[unit] AS [unit] ON [unit].[unit_id] = [stream].[unit_id]
WHERE [stream].[unit_id] = @P1;
