UPDATE [millrace].[stream_summary] SET [until] = @P4
WHERE [unit_id] = @P1 AND [summary_id] = @P2 AND [since] = @P3;
