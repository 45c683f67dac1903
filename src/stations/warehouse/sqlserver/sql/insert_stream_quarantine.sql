INSERT INTO [millrace].[stream_quarantine] ([feed], [name], [name_order], [unit_id], [first], [last], [events])
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7);
