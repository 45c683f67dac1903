INSERT INTO [millrace].[stream_gap] ([unit_id], [first], [last], [reason], [recorded_at]) VALUES (@P1, @P2, @P3, @P4, @P5);
