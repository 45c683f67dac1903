SELECT MAX([generation]) FROM [millrace].[pipeline_generation] WHERE [feed] = @P1 AND [fingerprint] = @P2;
