INSERT INTO [millrace].[pipeline_generation] ([feed], [generation], [fingerprint], [since]) VALUES (@P1, @P2, @P3, @P4);
